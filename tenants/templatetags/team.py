"""The tabs of the team pages: those that this member may open."""

from dataclasses import dataclass

from django import template
from django.http import HttpRequest
from django.template import Context
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants import access
from tenants.access import Action
from tenants.models import Membership, Role

register = template.Library()

_TABS: tuple[tuple[str, str | Promise, Action], ...] = (
    # Name of the first page, which the names of the others of this tab begin with; title; what it takes to open it.
    ("team", _("Members"), Action.SEE_TEAM),
    ("limits", _("Limits"), Action.SEE_TEAM),
    ("sign_in_settings", _("Sign-in"), Action.MANAGE_MEMBERS),
    ("access_tokens", _("Tokens"), Action.SEE_TEAM),
    ("audit", _("Audit log"), Action.SEE_AUDIT),
    ("tenant_settings", _("Settings"), Action.MANAGE_TENANT),
)


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab: where it leads, and whether it is open."""

    name: str | Promise
    address: str
    current: bool


@register.simple_tag(takes_context=True)
def team_tabs(context: Context, membership: Membership) -> list[Tab]:
    """Return the tabs that the member may open, in order."""
    request: HttpRequest = context["request"]
    here = (request.resolver_match.url_name if request.resolver_match else None) or ""
    return [
        Tab(name, reverse(route, args=[membership.tenant.slug]), current=here == route or here.startswith(f"{route}_"))
        for route, name, action in _TABS
        if access.may(membership, action)
    ]


@register.filter
def role_name(role: str) -> str:
    """Name a role as people read it."""
    return str(Role(role).label)
