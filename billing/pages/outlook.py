"""What is to come: the end of the present month, and what a budget leaves for a day."""

from datetime import datetime
from fractions import Fraction

from django.db.models import Q

from billing.calendars import Calendar
from billing.forecast import Forecast, forecast
from billing.models import Budget
from billing.money import Money, round_half_even
from billing.pages.wanted import Wanted
from billing.queries import visible_to
from billing.spans import span_at
from billing.windows import parse
from tenants.models import Membership


def month_ahead(membership: Membership, wanted: Wanted, calendar: Calendar, now: datetime) -> Forecast | None:
    """Look ahead where the page is about all of the present month so far; None otherwise."""
    if wanted.window != parse("month", calendar, now) or not _is_about_everything(wanted, calendar, now):
        return None
    return forecast(visible_to(membership), calendar, now)


def daily_limit(membership: Membership, wanted: Wanted, calendar: Calendar, now: datetime) -> Money | None:
    """Return what the tightest budget for all that the page is about leaves for each day of its period; None without any."""
    if not _is_about_everything(wanted, calendar, now):
        return None
    about = Q(person=membership.user_id) if wanted.is_own else Q(person=None, tag="", gpu_class=None)
    budgets = Budget.objects.filter(about, tenant=membership.tenant_id, active=True, currency=wanted.currency)
    return min((_for_a_day(each, calendar, now) for each in budgets), default=None)


def _is_about_everything(wanted: Wanted, calendar: Calendar, now: datetime) -> bool:
    return not wanted.is_narrowed and not wanted.at_list_prices and wanted.currency == calendar.currency_at(now)


def _for_a_day(budget: Budget, calendar: Calendar, now: datetime) -> Money:
    span = span_at(calendar, budget.recurrence, now)
    days = (span.last - span.first).days + 1
    return Money(round_half_even(Fraction(budget.amount) / days), budget.currency)
