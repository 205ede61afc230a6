"""Which routers of people and tenants there are, and where."""

from ninja import Router

from tenants.api import me

TENANT = "/tenants/{slug:tenant}"
ROUTERS: list[tuple[str, Router]] = [
    ("", me.router),
]
