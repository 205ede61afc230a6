"""Which routers of billing there are, and where."""

from ninja import Router

from billing.api import costs, gpu_classes

TENANT = "/tenants/{slug:tenant}"
ROUTERS: list[tuple[str, Router]] = [
    (f"{TENANT}/catalog", gpu_classes.router),
    (TENANT, costs.router),
]
