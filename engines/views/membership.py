"""How every page below /<tenant>/ begins."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from tenants import access
from tenants.models import Membership, User


class PortalRequest(HttpRequest):
    """A request of a signed-in person, as the middleware leaves it."""

    user: User
    htmx: HtmxDetails


def member(request: PortalRequest, tenant_slug: str) -> Membership:
    """Return the signed-in person's membership, and remember the tenant as the one visited last; NotVisible for strangers."""
    membership = access.membership_in(request.user, tenant_slug)
    if request.session.get("last_tenant") != tenant_slug:
        request.session["last_tenant"] = tenant_slug
    return membership
