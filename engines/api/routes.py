"""Which routers of engines there are, and where."""

from ninja import Router

from engines.api import actions, catalog, instances

TENANT = "/tenants/{slug:tenant}"
ROUTERS: list[tuple[str, Router]] = [
    (f"{TENANT}/catalog", catalog.router),
    (TENANT, instances.router),
    (f"{TENANT}/instances/{{slug:instance}}", actions.router),
]
