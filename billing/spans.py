"""Stretches of whole days of an account for which something is planned: a day, a month or a quarter. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from billing.calendars import Calendar
from billing.periods import Month


class Recurrence(StrEnum):
    """How long one lasts; the next begins where it ends."""

    DAY = "day"
    MONTH = "month"
    QUARTER = "quarter"


@dataclass(frozen=True, slots=True)
class Span:
    """The days from `first` to `last`, both included, and when they are: [starts_at, ends_at)."""

    first: date
    last: date
    starts_at: datetime
    ends_at: datetime

    def days_after(self, day: date) -> list[date]:
        """Return its days after this one."""
        return [day + timedelta(days=number) for number in range(1, (self.last - day).days + 1)]


def span_at(calendar: Calendar, recurrence: Recurrence | str, at: datetime) -> Span:
    """Return the day, month or quarter of this moment by the account's calendar."""
    day = calendar.day_of(at)
    month = Month.of(day)
    if recurrence == Recurrence.DAY:
        first = last = day
    elif recurrence == Recurrence.MONTH:
        first, last = month.first_day, month.last_day
    else:
        begin = Month(month.year, (month.number - 1) // 3 * 3 + 1)
        first, last = begin.first_day, begin.following.following.last_day
    return Span(first, last, calendar.day_span(first)[0], calendar.day_span(last)[1])
