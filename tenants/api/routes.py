"""Which routers of people and tenants there are, and where."""

from ninja import Router

from tenants.api import audit, invitations, me, members, notifications, tokens, webhooks

TENANT = "/tenants/{slug:tenant}"
ROUTERS: list[tuple[str, Router]] = [
    ("", me.router),
    ("", tokens.mine),
    ("", notifications.mine),
    (TENANT, members.router),
    (TENANT, invitations.router),
    (TENANT, audit.router),
    (TENANT, tokens.of_tenant),
    (TENANT, notifications.router),
    (TENANT, webhooks.router),
]
