"""What the present month will probably come to, and how much of a budget is used: for the overview.

The budget is one that is about exactly these costs: the whole tenant's for who sees everybody's, else the member's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.budgets.standing import Standing, standings
from billing.calendars import Calendar
from billing.forecast import Forecast, forecast
from billing.models import Budget
from billing.money import PLACES, Money, round_half_even
from billing.queries import scope_of, visible_to
from tenants.models import Membership


@dataclass(frozen=True, slots=True)
class Outlook:
    """The forecast, the budget of which most is used, and what a day may cost by the strictest; None without any."""

    forecast: Forecast
    budget: Standing | None
    a_day: Money | None


def outlook(membership: Membership, calendar: Calendar, *, now: datetime) -> Outlook:
    """Look ahead; within one snapshot of the caller's. Six queries, and three with budgets and seven for each."""
    person_id = scope_of(membership)
    about = Budget.objects.filter(tenant=membership.tenant_id, person=person_id, tag="", gpu_class=None, active=True)
    budgets = list(about.select_related("person"))
    found = standings(membership.tenant, budgets, now=now)[0] if budgets else []
    fullest = max(found, key=lambda each: each.spent.amount / each.budget.amount, default=None)
    return Outlook(forecast(visible_to(membership), calendar, now), fullest, _a_day(found))


def _a_day(found: Sequence[Standing]) -> Money | None:
    """Return the least that any of them leaves for a day of its period, if it were spent evenly."""
    even = [_evenly(each) for each in found]
    return min(even, default=None)


def _evenly(standing: Standing) -> Money:
    days = (standing.span.last - standing.span.first).days + 1
    return Money(round_half_even(standing.budget.amount / days, PLACES), standing.budget.currency)
