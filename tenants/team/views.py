"""Who is in the team."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tenants import access
from tenants.access import Action


@login_required
@require_safe
def index(request: HttpRequest, tenant_slug: str) -> HttpResponse:
    """Show the members and their roles."""
    membership = access.membership_in(request.user, tenant_slug)  # type: ignore[arg-type]
    access.require(membership, Action.SEE_TEAM)
    members = membership.tenant.memberships.select_related("user").order_by("user__username")
    return render(request, "tenants/team/members.html", {"membership": membership, "members": members})
