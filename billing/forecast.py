"""What will have been spent at the end of a month, quarter or day, if things go on: see billing.projection for the formulas.

From sums by day and from what lasts, never from single charges: however many there are, it takes as long.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import Q

from billing import sums
from billing.accrual import Accrued, accrued
from billing.calendars import DAY, SECOND, Calendar
from billing.hindsight import Hindsight, Past, hindsight
from billing.models import DayRollup, UsageInterval
from billing.models.charges import USAGE
from billing.money import Money
from billing.projection import DAYS_BACK, Known, Projection, project, ratio
from billing.rating import Cell
from billing.spans import Recurrence, Span, span_at

ZERO = Decimal(0)
MONTHS_TRIED = 3
"""Months that are over in which the method is tried, at most."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is spent at `as_of`, and what that will have come to at the end of `span`, in its currency."""

    span: Span
    as_of: datetime
    posted: Money  # in the books
    estimated: Money  # used, and not in the books yet
    per_hour: Money  # what runs and is stored now
    stored_per_hour: Money  # the part of it that is stored
    low: Money
    likely: Money
    high: Money
    run_rate: Money

    @property
    def spent(self) -> Money:
        """What is posted and what is estimated."""
        return self.posted + self.estimated


@dataclass(frozen=True, slots=True)
class _Days:
    """Amounts by day of the account, estimates apart."""

    posted: dict[date, Decimal]
    used: dict[date, Decimal]  # GPU time and storage alone: what can be expected again; estimates included
    estimated: dict[date, Decimal]


def forecast(scope: Q, calendar: Calendar, now: datetime, *, span: Span | None = None) -> Forecast:
    """Look ahead to the end of the present month, or of the `span` in which `now` lies.

    `scope` is whose costs, in the fields that sums and usage have in common. Of an account that changed its currency only what is
    in the present one is told. Five queries at most, whatever the scope.
    """
    span = span or span_at(calendar, Recurrence.MONTH, now)
    currency, today = calendar.currency_at(now), calendar.day_of(now)
    lasting = accrued(UsageInterval.objects.filter(scope), now=now)
    of_currency = scope & Q(currency=currency)
    since = today - timedelta(days=DAYS_BACK)
    days = _by_day(of_currency, lasting, calendar, currency, (min(span.first, since), span.last))
    posted, estimated = (_within(amounts, span) for amounts in (days.posted, days.estimated))
    day_starts_at, day_ends_at = calendar.day_span(today)
    known = Known(
        now=now,
        today=today,
        day_starts_at=day_starts_at,
        day_ends_at=day_ends_at,
        spent=posted + estimated,
        history=_history(of_currency, days.used, since, today),
        per_hour=_per_hour(lasting, currency),
        stored_per_hour=_per_hour([each for each in lasting if each.interval.volume_id], currency),
    )
    return _told(known, project(known, span), span, Money(posted, currency), Money(estimated, currency))


def tried(scope: Q, calendar: Calendar, now: datetime) -> Hindsight | None:
    """Say how far off the forecast of a month was at the same part of the months before; None where too little is known.

    Two queries, whatever the scope. Months in another currency than the present one tell nothing.
    """
    present = span_at(calendar, Recurrence.MONTH, now)
    spans = [span_at(calendar, Recurrence.MONTH, present.starts_at - SECOND)]
    while len(spans) < MONTHS_TRIED:
        spans.append(span_at(calendar, Recurrence.MONTH, spans[-1].starts_at - SECOND))
    currency = calendar.currency_at(now)
    of_currency, since = scope & Q(currency=currency), spans[-1].first - timedelta(days=DAYS_BACK)
    days = _by_day(of_currency, [], calendar, currency, (since, present.first - DAY))
    if not days.used:
        return None
    began = since if DayRollup.objects.filter(of_currency, day__lt=since).exists() else min(days.used)
    passed = ratio(now - present.starts_at, present.ends_at - present.starts_at)
    return hindsight(Past(currency, days.posted, days.used, began), calendar, spans, passed)


def _told(known: Known, found: Projection, span: Span, posted: Money, estimated: Money) -> Forecast:
    def money(amount: Decimal) -> Money:
        return Money(amount, posted.currency)

    return Forecast(
        span=span,
        as_of=known.now,
        posted=posted,
        estimated=estimated,
        per_hour=money(known.per_hour),
        stored_per_hour=money(known.stored_per_hour),
        low=money(found.low),
        likely=money(found.likely),
        high=money(found.high),
        run_rate=money(found.run_rate),
    )


def _by_day(scope: Q, lasting: list[Accrued], calendar: Calendar, currency: str, between: tuple[date, date]) -> _Days:
    days = _Days(defaultdict(Decimal), defaultdict(Decimal), defaultdict(Decimal))
    for total in sums.by_day(scope, *between, by=("day", "category")):
        day, category = total.key
        days.posted[day] += total.amount
        if category in USAGE:
            days.used[day] += total.amount
    for cell in (cell for each in lasting for cell in each.cells):
        amount = _cost(cell, currency)
        days.used[calendar.day_of(cell.starts_at)] += amount
        days.estimated[calendar.day_of(cell.starts_at)] += amount
    return days


def _cost(cell: Cell, currency: str) -> Decimal:
    return cell.cost.amount if cell.cost is not None and cell.cost.currency == currency else ZERO


def _within(amounts: dict[date, Decimal], span: Span) -> Decimal:
    return sum((amount for day, amount in amounts.items() if span.first <= day <= span.last), ZERO)


def _history(scope: Q, used: dict[date, Decimal], since: date, today: date) -> dict[date, Decimal]:
    """Return the whole days since `since`, from the first on which anything was used; days without use cost nothing."""
    known = [day for day in used if since <= day < today]
    if not known:
        return {}
    first = since if DayRollup.objects.filter(scope, day__lt=since).exists() else min(known)
    days = (first + timedelta(days=number) for number in range((today - first).days))
    return {day: used.get(day, ZERO) for day in days}


def _per_hour(lasting: list[Accrued], currency: str) -> Decimal:
    rates = (each.per_hour for each in lasting)
    return sum((rate.amount for rate in rates if rate is not None and rate.currency == currency), ZERO)
