"""What a month will have come to, worked out from what is known of its days so far. Pure.

low       what is spent, and what stored data goes on costing: as if nothing ran from now on
likely    what is spent, the rest of today, and each day to come: a day costs the median of the same weekday in the four weeks
          before today, as far as anything was used by then; of a weekday that is not among them, the median of all days
high      what is spent, and what runs and is stored now going on until the end; never less than `likely`
run rate  what is spent, at the same pace: spent × whole ÷ elapsed. For comparison: it knows neither weekends nor what runs now

Of a day that is partly over, its part that is left costs that part of the median. Before the first whole day there is no median,
and `likely` is `high`.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from statistics import median

from billing.money import round_half_even
from billing.spans import Span

WEEKS = 4
DAYS_BACK = 7 * WEEKS
MICROSECOND = timedelta(microseconds=1)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known at `now`, in one currency: `history` by day, of whole days before today in which something could be used."""

    now: datetime
    today: date
    day_starts_at: datetime
    day_ends_at: datetime
    spent: Decimal
    history: Mapping[date, Decimal]
    per_hour: Decimal  # what runs and is stored now
    stored_per_hour: Decimal  # the part of it that is stored


@dataclass(frozen=True, slots=True)
class Projection:
    """What the span will have come to at its end; each rounded once, to nine decimals."""

    low: Decimal
    likely: Decimal
    high: Decimal
    run_rate: Decimal


def project(known: Known, span: Span) -> Projection:
    """Look ahead from `now`, which lies in the span, to its end."""
    spent = Fraction(known.spent)
    hours_left = ratio(span.ends_at - known.now, _HOUR)
    on_and_on = spent + Fraction(known.per_hour) * hours_left
    likely = spent + _usual(known, span) if known.history else on_and_on
    return Projection(
        low=round_half_even(spent + Fraction(known.stored_per_hour) * hours_left),
        likely=round_half_even(likely),
        high=round_half_even(max(on_and_on, likely)),
        run_rate=round_half_even(spent * ratio(span.ends_at - span.starts_at, known.now - span.starts_at)),
    )


def _usual(known: Known, span: Span) -> Fraction:
    """What the rest of today and the days after it usually cost."""
    by_weekday: dict[int, list[Decimal]] = defaultdict(list)
    for day, amount in known.history.items():
        by_weekday[day.weekday()].append(amount)
    of_all = median(known.history.values())

    def usual(day: date) -> Fraction:
        found = by_weekday.get(day.weekday())
        return Fraction(median(found) if found else of_all)

    left_of_today = ratio(known.day_ends_at - known.now, known.day_ends_at - known.day_starts_at)
    return usual(known.today) * left_of_today + sum(map(usual, span.days_after(known.today)), Fraction(0))


def ratio(part: timedelta, whole: timedelta) -> Fraction:
    """Return how many times `whole` is in `part`; 1 before anything has passed."""
    return Fraction(part // MICROSECOND, whole // MICROSECOND) if whole else Fraction(1)
