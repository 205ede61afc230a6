"""What is to come: the end of the present month, and how budgets for all that the page is about stand."""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction

from django.db.models import Q

from billing.budgets.standing import Standing, standings
from billing.calendars import Calendar
from billing.forecast import Forecast, forecast, tried
from billing.hindsight import Hindsight
from billing.models import Budget
from billing.money import Money, round_half_even
from billing.pages.wanted import Wanted
from billing.queries import visible_to
from billing.windows import parse
from tenants.models import Membership


def month_ahead(membership: Membership, wanted: Wanted, calendar: Calendar, now: datetime) -> Forecast | None:
    """Look ahead where the page is about all of the present month so far; None otherwise."""
    return forecast(visible_to(membership), calendar, now) if is_of_this_month(wanted, calendar, now) else None


def months_tried(membership: Membership, wanted: Wanted, calendar: Calendar, now: datetime) -> Hindsight | None:
    """Say how far off such a look ahead was in earlier months, where there is one."""
    return tried(visible_to(membership), calendar, now) if is_of_this_month(wanted, calendar, now) else None


def budgets_about(membership: Membership, wanted: Wanted, calendar: Calendar, now: datetime) -> list[Standing]:
    """Return how those stand that are in force for exactly these costs.

    The whole tenant's for who sees everybody's, else the member's own. One query, and without budgets no more (see `standings`).
    """
    if not _is_about_everything(wanted, calendar, now):
        return []
    about = Q(person=membership.user_id) if wanted.is_own else Q(person=None)
    found = Budget.objects.filter(
        about, tenant=membership.tenant_id, tag="", gpu_class=None, active=True, currency=wanted.currency
    )
    budgets = list(found.select_related("person"))
    return standings(membership.tenant, budgets, now=now)[0] if budgets else []


def daily_limit(budgets: Iterable[Standing]) -> Money | None:
    """Return what the tightest budget leaves for each day of its period; None without any."""
    return min(map(_for_a_day, budgets), default=None)


def fullest(budgets: Iterable[Standing]) -> Standing | None:
    """Return the budget of which most is used; None without any."""
    return max(budgets, key=lambda each: each.spent.amount / each.budget.amount, default=None)


def is_of_this_month(wanted: Wanted, calendar: Calendar, now: datetime) -> bool:
    """Tell whether the page is about all of the present month so far."""
    return wanted.window == parse("month", calendar, now) and _is_about_everything(wanted, calendar, now)


def _is_about_everything(wanted: Wanted, calendar: Calendar, now: datetime) -> bool:
    return not wanted.is_narrowed and not wanted.at_list_prices and wanted.currency == calendar.currency_at(now)


def _for_a_day(standing: Standing) -> Money:
    days = (standing.span.last - standing.span.first).days + 1
    return Money(round_half_even(Fraction(standing.budget.amount) / days), standing.budget.currency)
