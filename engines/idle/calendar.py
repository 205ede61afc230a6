"""When a schedule is due: a time of day on some weekdays, by the clocks of a place. Pure."""

from collections.abc import Collection
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo


def last_due(*, days: Collection[int], at: time, zone: str, after: datetime, until: datetime) -> datetime | None:
    """Return the latest moment due in (after, until], or None. A time that clocks skip is due when they have skipped it."""
    place = ZoneInfo(zone)
    day = until.astimezone(place).date()
    for back in range(9):
        date = day - timedelta(days=back)
        moment = datetime.combine(date, at, place).astimezone(ZoneInfo("UTC"))
        if moment <= after:
            return None
        if date.weekday() in days and moment <= until:
            return moment
    return None


def next_due(*, days: Collection[int], at: time, zone: str, after: datetime) -> datetime | None:
    """Return the first moment due later than `after`, None without any day."""
    place = ZoneInfo(zone)
    day = after.astimezone(place).date()
    for ahead in range(9):
        date = day + timedelta(days=ahead)
        moment = datetime.combine(date, at, place).astimezone(ZoneInfo("UTC"))
        if date.weekday() in days and moment > after:
            return moment
    return None
