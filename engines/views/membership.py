"""How a page begins that hears of changes."""

from engines import live
from tenants.membership import PortalRequest, member
from tenants.models import Membership


class LiveRequest(PortalRequest):
    """A request for such a page."""

    live_seen: str  # how many changes were announced before it was read


def live_member(request: LiveRequest, tenant_slug: str) -> Membership:
    """As member; the page has to know which changes were announced before anything of it is read."""
    membership = member(request, tenant_slug)
    request.live_seen = live.announced(membership.tenant_id)
    return membership
