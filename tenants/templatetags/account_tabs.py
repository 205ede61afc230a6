"""The tabs of a person's own account."""

from dataclasses import dataclass

from django import template
from django.http import HttpRequest
from django.template import Context
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.sign_in import configuration

register = template.Library()

_TABS: tuple[tuple[str, str | Promise, tuple[str, ...]], ...] = (
    # Name of the page, title, what the names of the other pages of this tab begin with.
    ("account_profile", _("Profile"), ()),
    ("account_change_password", _("Password"), ("account_set_password",)),
    ("account_email", _("E-mail"), ()),
    ("mfa_index", _("Two-factor"), ("mfa_",)),
    ("usersessions_list", _("Sessions"), ()),
    ("socialaccount_connections", _("Connected sign-ins"), ()),
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
    request: HttpRequest = context["request"]
    here = (request.resolver_match.url_name if request.resolver_match else None) or ""
    return [
        Tab(name, reverse(route), current=here == route or any(here.startswith(each) for each in others))
        for route, name, others in _TABS
        if route != "socialaccount_connections" or configuration.providers()
    ]
