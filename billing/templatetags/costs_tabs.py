"""The tabs of the costs pages: those that this member may open."""

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

register = template.Library()

_TABS: tuple[tuple[str, str | Promise, Action, tuple[str, ...]], ...] = (
    # Name of the first page; title; what it takes to open it; the names of the other pages of this tab.
    ("costs", _("Overview"), Action.SEE, ("costs-lines", "costs-line")),
    ("costs-month", _("Statement"), Action.SEE, ("instance-costs",)),
    ("budgets", _("Budgets"), Action.SEE, ("budget", "budget_new", "budget_delete")),
    ("insights", _("Insights"), Action.SEE, ()),
    ("costs-exports", _("Exports"), Action.SEE_COSTS, ()),
)


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab: where it leads, and whether it is open."""

    name: str | Promise
    address: str
    current: bool


@register.simple_tag(takes_context=True)
def costs_tabs(context: Context, membership: Membership) -> list[Tab]:
    """Return the tabs that the member may open, in order."""
    request: HttpRequest = context["request"]
    here = request.resolver_match.url_name if request.resolver_match else None
    return [
        Tab(title, reverse(route, args=[membership.tenant.slug]), current=here == route or here in others)
        for route, title, action, others in _TABS
        if access.may(membership, action)
    ]
