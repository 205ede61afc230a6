"""Days and months of one account: its time zone, and the day on which that changed. Pure.

Days are those of the clock, 23 to 25 hours long. Terms change only where a month of the old ones ends. The first day by the new
ones is then as much shorter or longer as the zones differ, so that no day and no month is ever there twice.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from billing.periods import Month

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Terms:
    """The time zone (IANA) and currency of an account from `starts_at` on; None: as long as there was any before."""

    starts_at: datetime | None
    time_zone: str
    currency: str


@dataclass(frozen=True, slots=True)
class PeriodSpan:
    """A month [starts_at, ends_at) by the terms that hold in it."""

    month: Month
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    currency: str


@dataclass(frozen=True, slots=True)
class _Era:
    """The time during which terms hold, and the first month of it."""

    terms: Terms
    zone: ZoneInfo
    first: Month | None

    def month_of(self, at: datetime) -> Month:
        local = Month.of(at.astimezone(self.zone).date())
        return local if self.first is None else max(local, self.first)

    def midnight(self, day: date) -> datetime:
        """Return when the day begins; where midnight does not exist or is there twice, the first moment of the day."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)


@dataclass(frozen=True)
class Calendar:
    """What day and month a moment belongs to. `terms` are in their order, the first without a beginning."""

    terms: tuple[Terms, ...]

    @classmethod
    def of(cls, time_zone: str, currency: str) -> "Calendar":
        """Return the calendar of an account whose terms never changed."""
        return cls((Terms(None, time_zone, currency),))

    @cached_property
    def _eras(self) -> Sequence[_Era]:
        eras: list[_Era] = []
        for terms in self.terms:
            if terms.starts_at is None:
                eras.append(_Era(terms, ZoneInfo(terms.time_zone), None))
            else:
                before = eras[-1].month_of(terms.starts_at - SECOND)
                eras.append(_Era(terms, ZoneInfo(terms.time_zone), before.following))
        return eras

    @cached_property
    def _starts(self) -> list[datetime]:
        return [era.terms.starts_at for era in self._eras if era.terms.starts_at is not None]

    @cached_property
    def _days(self) -> dict[datetime, date]:
        return {}

    @cached_property
    def _spans(self) -> dict[Month, PeriodSpan]:
        return {}

    def _era(self, at: datetime) -> _Era:
        return self._eras[bisect_right(self._starts, at)]

    def currency_at(self, at: datetime) -> str:
        """Return the currency of what is used at this moment."""
        return self._era(at).terms.currency

    def day_of(self, at: datetime) -> date:
        """Return the day of this moment."""
        if at not in self._days:
            era = self._era(at)
            local = at.astimezone(era.zone).date()
            self._days[at] = local if era.first is None else max(local, era.first.first_day)
        return self._days[at]

    def month_of(self, at: datetime) -> Month:
        """Return the month of this moment."""
        return Month.of(self.day_of(at))

    def day_start(self, at: datetime) -> datetime:
        """Return when the day of this moment began."""
        era, day = self._era(at), self.day_of(at)
        start = era.midnight(day)
        return start if era.first is None or day != era.first.first_day else _moment(era.terms.starts_at)

    def midnights(self, start: datetime, end: datetime) -> list[datetime]:
        """Return where days begin between the two moments, both excluded."""
        found: list[datetime] = []
        at = start
        while True:
            at = self._next_day_start(at)
            if at >= end:
                return found
            found.append(at)

    def _next_day_start(self, at: datetime) -> datetime:
        """Return the first moment after this one that begins a day."""
        number = bisect_right(self._starts, at)
        era, day = self._eras[number], self.day_of(at)
        following = era.midnight(day + DAY)
        while following <= at:  # a day that the zone left out
            day += DAY
            following = era.midnight(day + DAY)
        return min([following, *self._starts[number : number + 1]])

    def day_span(self, day: date) -> tuple[datetime, datetime]:
        """Return when the day begins and when the next does."""
        number = max(place for place, era in enumerate(self._eras) if era.first is None or day >= era.first.first_day)
        era = self._eras[number]
        is_first = era.first is not None and day == era.first.first_day
        start = _moment(era.terms.starts_at) if is_first else era.midnight(day)
        return start, min([era.midnight(day + DAY), *self._starts[number : number + 1]])

    def period_at(self, at: datetime) -> PeriodSpan:
        """Return the month of this moment, with its bounds."""
        return self.period(self.month_of(at))

    def period(self, month: Month) -> PeriodSpan:
        """Return this month with its bounds."""
        if month not in self._spans:
            start, _ = self.day_span(month.first_day)
            end, _ = self.day_span(month.following.first_day)
            era = self._era(start)
            self._spans[month] = PeriodSpan(month, start, end, era.terms.time_zone, era.terms.currency)
        return self._spans[month]


def by_time(terms: Iterable[Terms]) -> tuple[Terms, ...]:
    """Put terms into the order in which they hold."""
    return tuple(sorted(terms, key=lambda each: each.starts_at or datetime.min.replace(tzinfo=UTC)))


def _moment(at: datetime | None) -> datetime:
    if at is None:
        raise ValueError("Only the first terms have no beginning.")
    return at
