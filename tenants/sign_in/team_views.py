"""What the team pages show of sign-in: how people get into this tenant by a provider, as operators configured it."""

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tenants import access
from tenants.access import Action
from tenants.models import Tenant
from tenants.sign_in import configuration
from tenants.sign_in.schema import Grant, Provider


@dataclass(frozen=True)
class Way:
    """One provider's way into the tenant: its grants that concern it, and how many members came by it."""

    provider: Provider
    grants: tuple[Grant, ...]
    members: int


@login_required
@require_safe
def settings_of_tenant(request: HttpRequest, tenant_slug: str) -> HttpResponse:
    """Show the ways in. Whoever manages members sees them; operators change them, in the file of providers."""
    membership = access.membership_in(request.user, tenant_slug)  # type: ignore[arg-type]
    access.require(membership, Action.MANAGE_MEMBERS)
    ways = [way for provider in configuration.providers() if (way := _way(provider, membership.tenant)).grants]
    return render(request, "tenants/team/sign_in.html", {"membership": membership, "ways": ways})


def _way(provider: Provider, tenant: Tenant) -> Way:
    grants = tuple(grant for grant in provider.grants if grant.tenant in {tenant.slug, None})
    return Way(provider, grants, tenant.memberships.filter(provider=provider.id, lapsed_at=None).count())
