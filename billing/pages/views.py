"""Overview of costs, the lines behind an amount, and one line. What an address asks for in vain is said on the page, with 400."""

from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy

from billing.accounts import calendar_of
from billing.calendars import DAY, Calendar
from billing.models import Charge
from billing.pages.dashboard import dashboard
from billing.pages.form import days_text, form, span_text
from billing.pages.labels import title
from billing.pages.lines import lines, one_line
from billing.pages.wanted import PRICES, BadAddress, Wanted, normal, read
from billing.queries import scope_of, snapshot
from tenants.membership import PortalRequest, member
from tenants.models import Membership

_PRICE_TITLES = {"net": gettext_lazy("Your prices"), "list": gettext_lazy("List prices")}


@login_required
def overview(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Show what was spent, on what and by whom: of the days asked for, of the last months, of the last days."""
    membership = member(request, tenant_slug)
    now, given = timezone.now(), request.GET.dict()
    with snapshot():
        calendar = calendar_of(membership.tenant)
        context = _frame(membership, calendar, now)
        try:
            wanted = read(given, calendar, now, is_own=context["own_only"])
        except BadAddress as error:
            context["form"] = form(membership, normal(given), calendar, now, error.errors)
            return render(request, "billing/overview.html", context, status=400)
        board = dashboard(membership, wanted, calendar, now=now)
        context |= _of_window(wanted) | {"board": board, "form": form(membership, wanted.given, calendar, now, {})}
    if board.compared:
        over, before = board.compared
        context["compared"] = {"before": days_text(before), "is_cut": over != wanted.window}
    switches = {"by": (wanted.by_choices, wanted.by), "stack": (wanted.stack_choices, wanted.stack)}
    context |= {f"{name}_links": _switch(wanted, name, *switch) for name, switch in switches.items()}
    context |= {"by_title": title(wanted.by)}
    return render(request, "billing/overview.html", context)


@login_required
def charge_lines(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Show the lines that add up to an amount."""
    membership = member(request, tenant_slug)
    now, given = timezone.now(), request.GET.dict()
    with snapshot():
        calendar = calendar_of(membership.tenant)
        context = _frame(membership, calendar, now)
        try:
            wanted = read(given, calendar, now, is_own=context["own_only"])
            found = lines(membership, wanted, calendar, now=now, after=given.get("after", ""))
        except BadAddress as error:
            context["form"] = form(membership, normal(given), calendar, now, error.errors)
            return render(request, "billing/lines.html", context, status=400)
        context |= _of_window(wanted) | {"found": found, "form": form(membership, wanted.given, calendar, now, {})}
    if found.after is not None:
        context["further"] = wanted.address(after=str(found.after))
    return render(request, "billing/lines.html", context)


@login_required
def charge_line(request: PortalRequest, tenant_slug: str, pk: int) -> HttpResponse:
    """Show one line with all that it follows from."""
    membership = member(request, tenant_slug)
    with snapshot():
        explanation = one_line(membership, pk)
        calendar = calendar_of(membership.tenant)
    charge = explanation.charge
    context = _frame(membership, calendar, charge.starts_at) | {
        "explanation": explanation,
        "charge": charge,
        "day_query": f"?window={charge.day},{charge.day + DAY}",
        "is_usage": charge.category in {Charge.Category.GPU, Charge.Category.STORAGE},
    }
    return render(request, "billing/line.html", context)


def _frame(membership: Membership, calendar: Calendar, at: datetime) -> dict[str, Any]:
    return {
        "tenant": membership.tenant,
        "membership": membership,
        "own_only": scope_of(membership) is not None,
        "as_of": at,
        "zone": calendar.period_at(at).time_zone,
    }


def _of_window(wanted: Wanted) -> dict[str, Any]:
    return {
        "wanted": wanted,
        "days": days_text(wanted.window),
        "span": span_text(wanted),
        "lines_query": wanted.address(by="", stack=""),
        "overview_query": wanted.address(after=""),
        "price_links": _switch(wanted, "prices", PRICES, "list" if wanted.at_list_prices else "net"),
    }


def _switch(wanted: Wanted, name: str, choices: tuple[str, ...], chosen: str) -> list[dict[str, Any]]:
    """Return links that change one parameter; the first choice is what is taken anyway."""
    return [
        {
            "name": choice,
            "title": _PRICE_TITLES[choice] if name == "prices" else title(choice),
            "address": wanted.address(**{name: "" if choice == choices[0] else choice}),
            "current": choice == chosen,
        }
        for choice in choices
    ]
