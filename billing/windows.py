"""Stretches of whole days as programs name them, by an account's calendar. Pure.

The words are those of OpenCost's allocation API, with two differences: days are the account's, 23 to 25 hours long, and `7d` ends
with today, not with this minute. What is no whole number of days is refused and never approximated.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from billing.calendars import DAY, SECOND, Calendar
from billing.periods import Month

LONGEST = 1100
"""Days of a window, at most: three years."""
EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)
"""No window goes beyond these."""
STEPS = ("1d", "1w", "1mo")
_NAMED = ("today", "yesterday", "week", "lastweek", "month", "lastmonth")
_LENGTH = re.compile(r"([1-9][0-9]{0,3})([dw])", re.ASCII)


class NotAWindow(ValueError):
    """The text names no whole days of the calendar, too many, or such as are too far off."""


class EndsBeforeItBegins(NotAWindow):
    """The last of the days is before the first."""


class TooManyDays(NotAWindow):
    """More days than `LONGEST`."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Days of a calendar, both included."""

    first: date
    last: date

    @property
    def is_whole_months(self) -> bool:
        """Tell whether it begins and ends with a month."""
        return self.first.day == 1 and (self.last + DAY).day == 1

    @property
    def length(self) -> int:
        """How many days."""
        return (self.last - self.first).days + 1

    def moments(self, calendar: Calendar) -> tuple[datetime, datetime]:
        """Return [start, end) in UTC."""
        return calendar.day_span(self.first)[0], calendar.day_span(self.last)[1]

    def earlier(self, days: int) -> "Window":
        """Return as many days, so much before."""
        return Window(self.first - timedelta(days=days), self.last - timedelta(days=days))


def parse(text: str, calendar: Calendar, now: datetime) -> Window:
    """Read `month`, `lastweek`, `7d`, `2w offset 1w`, or the two ends of a window, the second excluded, joined by a comma.

    Ends are days (2026-03-01), or moments at which one begins: as RFC 3339 has them or in seconds since 1970. Raises NotAWindow.
    """
    try:
        window = _pair(text, calendar) if "," in text else _named(text, calendar.day_of(now))
    except (OverflowError, ValueError) as error:
        raise NotAWindow(text) from error
    if window.length < 1:
        raise EndsBeforeItBegins(text)
    if window.length > LONGEST:
        raise TooManyDays(text)
    if window.first < EARLIEST or window.last > LATEST:
        raise NotAWindow(text)
    return window


def cut(window: Window, step: str) -> list[Window]:
    """Cut it into days, into weeks from its first day on, or into calendar months; no step leaves it whole."""
    parts, first = [], window.first
    while first <= window.last:
        last = min(_step_end(first, step) if step else window.last, window.last)
        parts.append(Window(first, last))
        first = last + DAY
    return parts


def _step_end(first: date, step: str) -> date:
    if step == "1mo":
        return Month.of(first).last_day
    return first + timedelta(days={"1d": 0, "1w": 6}[step])


def _named(text: str, today: date) -> Window:
    name, separator, offset = text.partition(" offset ")
    window = _by_name(name, today) if name in _NAMED else _back(_days(name), today)
    return window.earlier(_days(offset)) if separator else window


def _back(days: int, today: date) -> Window:
    return Window(today - timedelta(days=days - 1), today)


def _by_name(name: str, today: date) -> Window:
    monday, month = today - timedelta(days=today.weekday()), Month.of(today)
    return {
        "today": Window(today, today),
        "yesterday": Window(today - DAY, today - DAY),
        "week": Window(monday, today),
        "lastweek": Window(monday, monday + timedelta(days=6)).earlier(7),
        "month": Window(month.first_day, today),
        "lastmonth": Window(month.preceding.first_day, month.preceding.last_day),
    }[name]


def _days(text: str) -> int:
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise NotAWindow(text)
    return int(found[1]) * (7 if found[2] == "w" else 1)


def _pair(text: str, calendar: Calendar) -> Window:
    start, end = text.split(",")
    return Window(_day_from(start, calendar), _day_until(end, calendar))


def _day_from(text: str, calendar: Calendar) -> date:
    """Return the day that begins then."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return date.fromisoformat(text)
    at = _moment(text)
    if calendar.day_start(at) != at:
        raise NotAWindow(text)
    return calendar.day_of(at)


def _day_until(text: str, calendar: Calendar) -> date:
    """Return the day that is over then."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return date.fromisoformat(text) - DAY
    _day_from(text, calendar)
    return calendar.day_of(_moment(text) - SECOND)


def _moment(text: str) -> datetime:
    if re.fullmatch(r"[0-9]{1,11}", text, re.ASCII):
        return datetime.fromtimestamp(int(text), UTC)
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise NotAWindow(text)
    return at
