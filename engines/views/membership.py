"""How every page below /<tenant>/ begins."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from engines import live
from tenants import access
from tenants.models import Membership, User


class PortalRequest(HttpRequest):
    """A request of a signed-in person, as the middleware leaves it."""

    user: User
    htmx: HtmxDetails
    live_seen: str  # of a page that hears of changes: how many were announced before it was read


def member(request: PortalRequest, tenant_slug: str) -> Membership:
    """Return the signed-in person's membership, and remember the tenant as the one visited last; NotVisible for strangers."""
    membership = access.membership_in(request.user, tenant_slug)
    if request.session.get("last_tenant") != tenant_slug:
        request.session["last_tenant"] = tenant_slug
    return membership


def live_member(request: PortalRequest, tenant_slug: str) -> Membership:
    """As member, for a page that hears of changes: it has to know which were announced before anything of it is read."""
    membership = member(request, tenant_slug)
    request.live_seen = live.announced(membership.tenant_id)
    return membership
