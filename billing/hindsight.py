"""How far off the forecast of a month would have been in months that are over: the same method at the same part of each. Pure.

    error = mean of |likely − cost| ÷ cost        the mean absolute percentage error

`likely` is that of billing.projection, worked out from the amounts of the days before that moment; of its own day the part that
was over. Amounts are those that the books give today, corrections included. A month tells nothing that cost nothing, that had
no use in the four weeks before the moment, or that had begun before anything was used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from billing.calendars import Calendar
from billing.money import Money, round_half_even
from billing.projection import DAYS_BACK, MICROSECOND, Known, project, ratio
from billing.spans import Span

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Past:
    """Amounts by day in one currency: all that was posted, and of it what was used; the first day on which anything was."""

    currency: str
    posted: Mapping[date, Decimal]
    used: Mapping[date, Decimal]
    began: date


@dataclass(frozen=True, slots=True)
class Trial:
    """One month that is over: what would have been likely, and what it cost."""

    first: date
    likely: Money
    cost: Money

    @property
    def error(self) -> Fraction:
        """How far off that would have been, as a part of the cost."""
        return abs(Fraction((self.likely - self.cost).amount)) / Fraction(self.cost.amount)

    @property
    def formula(self) -> str:
        """The same with its numbers put in, every digit."""
        percent = round_half_even(self.error * 100, 1)
        return f"{self.first:%Y-%m}: |{self.likely.exact} − {self.cost.exact}| ÷ {self.cost.exact} = {percent} %"


@dataclass(frozen=True, slots=True)
class Hindsight:
    """The months that tell something, the latest first; one at least."""

    trials: Sequence[Trial]

    @property
    def error_percent(self) -> Decimal:
        """The mean error in per cent, with one decimal."""
        return round_half_even(sum((each.error for each in self.trials), Fraction(0)) * 100 / len(self.trials), 1)

    @property
    def formulas(self) -> list[str]:
        """One line for each month."""
        return [each.formula for each in self.trials]


def hindsight(past: Past, calendar: Calendar, spans: Sequence[Span], passed: Fraction) -> Hindsight | None:
    """Try the method when the part `passed` of each span was over; None where no span tells anything."""
    trials = [found for span in spans if (found := _trial(past, calendar, span, passed)) is not None]
    return Hindsight(trials) if trials else None


def _trial(past: Past, calendar: Calendar, span: Span, passed: Fraction) -> Trial | None:
    cost = _sum(past.posted, span.first, span.last)
    length = (span.ends_at - span.starts_at) // MICROSECOND
    now = span.starts_at + int(passed * length) * MICROSECOND
    today = calendar.day_of(now)
    history = _history(past, today)
    if cost <= 0 or past.began > span.first or not any(history.values()):
        return None
    starts_at, ends_at = calendar.day_span(today)
    part = ratio(now - starts_at, ends_at - starts_at)
    before = _sum(past.posted, span.first, today - timedelta(days=1))
    known = Known(
        now=now,
        today=today,
        day_starts_at=starts_at,
        day_ends_at=ends_at,
        spent=before + round_half_even(Fraction(past.posted.get(today, ZERO)) * part),
        history=history,
        per_hour=ZERO,
        stored_per_hour=ZERO,
    )
    return Trial(span.first, Money(project(known, span).likely, past.currency), Money(cost, past.currency))


def _history(past: Past, today: date) -> dict[date, Decimal]:
    first = max(past.began, today - timedelta(days=DAYS_BACK))
    days = (first + timedelta(days=number) for number in range((today - first).days))
    return {day: past.used.get(day, ZERO) for day in days}


def _sum(amounts: Mapping[date, Decimal], first: date, last: date) -> Decimal:
    return sum((amount for day, amount in amounts.items() if first <= day <= last), ZERO)
