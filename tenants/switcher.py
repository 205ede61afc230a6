"""From the page of one tenant to the same part of another."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import ResolverMatch, reverse

from tenants.models import Tenant

SEARCH_FROM = 8
"""From so many tenants on people search rather than look."""
_PARTS = {
    "api": "tenant-api",
    "costs": "costs",
    "data": "volumes",
    "notifications": "notifications",
    "release": "release",
    "team": "team",
}
"""First part of an address below the tenant → the first page of what it belongs to; everything else belongs to the engines."""


@dataclass(frozen=True, slots=True)
class Place:
    """A tenant to switch to, and where in it."""

    tenant: Tenant
    address: str
    is_current: bool


def places(tenants: Iterable[Tenant], match: ResolverMatch | None) -> list[Place]:
    """Return where each of the tenants is entered from the page of this match."""
    parts = match.route.split("/") if match is not None else []
    route = _PARTS.get(parts[1] if len(parts) > 1 else "", "instances")
    current = match.kwargs.get("tenant_slug") if match is not None else None
    return [Place(each, reverse(route, args=[each.slug]), each.slug == current) for each in tenants]
