"""Which routers of engines there are, and where."""

from ninja import Router

from engines.api import actions, catalog, files, history, instances, limits, release, schedules, shares, volumes

TENANT = "/tenants/{slug:tenant}"
INSTANCE = f"{TENANT}/instances/{{slug:instance}}"
ROUTERS: list[tuple[str, Router]] = [
    (f"{TENANT}/catalog", catalog.router),
    (TENANT, instances.router),
    (INSTANCE, actions.router),
    (INSTANCE, history.router),
    (f"{INSTANCE}/shares", shares.router),
    (INSTANCE, schedules.of_instance),
    (TENANT, schedules.of_tenant),
    (TENANT, limits.router),
    (TENANT, release.router),
    (TENANT, volumes.router),
    (f"{TENANT}/volumes/{{slug:volume}}", files.router),
]
