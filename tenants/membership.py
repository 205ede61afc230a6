"""How every page below /<tenant>/ begins."""

from datetime import timedelta

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django_htmx.middleware import HtmxDetails

from tenants import access
from tenants.audit.origin import present_origin
from tenants.models import Membership, User

SEEN_EVERY = timedelta(minutes=5)
"""How exactly it is known when a member was last there."""


class PortalRequest(HttpRequest):
    """A request of a signed-in person, as the middleware leaves it."""

    user: User
    htmx: HtmxDetails


def member(request: PortalRequest, tenant_slug: str) -> Membership:
    """Return the signed-in person's membership, and remember the tenant as the one visited last; NotVisible for strangers."""
    membership = access.membership_in(request.user, tenant_slug)
    if request.session.get("last_tenant") != tenant_slug:
        request.session["last_tenant"] = tenant_slug
    note_seen(membership)
    return membership


def note_seen(membership: Membership) -> None:
    """Write down, every few minutes, that the member was there; an operator who looks as them is somebody else."""
    if present_origin().behind is not None:
        return
    now = timezone.now()
    if membership.last_seen_at is None or now - membership.last_seen_at >= SEEN_EVERY:
        long_ago = Q(last_seen_at=None) | Q(last_seen_at__lte=now - SEEN_EVERY)
        Membership.objects.filter(long_ago, pk=membership.pk).update(last_seen_at=now)
