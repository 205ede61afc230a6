"""Which routers of billing there are, and where."""

from ninja import Router

from billing.api import allocation, budgets, costs, estimates, exports, gpu_classes, insights, lines, periods

TENANT = "/tenants/{slug:tenant}"
ROUTERS: list[tuple[str, Router]] = [
    (f"{TENANT}/catalog", gpu_classes.router),
    (TENANT, costs.router),
    *((f"{TENANT}/billing", each.router) for each in (allocation, budgets, lines, estimates, exports, insights, periods)),
]
