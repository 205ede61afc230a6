"""The tabs of a person's own account, and those of the team pages that a member may open."""

from dataclasses import dataclass

from django import template
from django.http import HttpRequest
from django.template import Context
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants import access
from tenants.access import Action
from tenants.models import Membership
from tenants.sign_in import configuration

register = template.Library()

_OF_ACCOUNT: tuple[tuple[str, str | Promise, tuple[str, ...]], ...] = (
    # Name of the page, title, what the names of the other pages of this tab begin with.
    ("account_profile", _("Profile"), ()),
    ("account_change_password", _("Password"), ("account_set_password",)),
    ("account_email", _("E-mail"), ()),
    ("mfa_index", _("Two-factor"), ("mfa_",)),
    ("usersessions_list", _("Sessions"), ()),
    ("socialaccount_connections", _("Connected sign-ins"), ()),
)
_OF_TEAM: tuple[tuple[str, str | Promise, Action], ...] = (
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
def account_tabs(context: Context) -> list[Tab]:
    """Return the tabs in order; connected sign-ins are there if there is a provider."""
    return [
        Tab(name, reverse(route), current=_is_open(context, route, *others))
        for route, name, others in _OF_ACCOUNT
        if route != "socialaccount_connections" or configuration.providers()
    ]


@register.simple_tag(takes_context=True)
def team_tabs(context: Context, membership: Membership) -> list[Tab]:
    """Return the tabs that the member may open, in order."""
    return [
        Tab(name, reverse(route, args=[membership.tenant.slug]), current=_is_open(context, route, f"{route}_"))
        for route, name, action in _OF_TEAM
        if access.may(membership, action)
    ]


def _is_open(context: Context, route: str, *beginnings: str) -> bool:
    """Tell whether the page that is shown has this name, or one that begins so."""
    request: HttpRequest = context["request"]
    here = (request.resolver_match.url_name if request.resolver_match else None) or ""
    return here == route or here.startswith(beginnings)
