"""Stretches of time: joined, cut and taken from each other, in whole seconds. Pure.

Use is known as moments and short stretches. An engine counts as active in every five minutes in which anybody or anything used
it, so that two clicks a minute apart and an hour of work are told in one measure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

BUCKET = timedelta(minutes=5)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """[starts_at, ends_at)."""

    starts_at: datetime
    ends_at: datetime

    @property
    def seconds(self) -> int:
        """How long it is."""
        return (self.ends_at - self.starts_at) // timedelta(seconds=1)


def total(stretches: Iterable[Stretch]) -> int:
    """Add up seconds, those that are there twice twice."""
    return sum(each.seconds for each in stretches)


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return them in order, with what overlaps or touches made one."""
    found: list[Stretch] = []
    for each in sorted(stretches):
        if found and each.starts_at <= found[-1].ends_at:
            found[-1] = Stretch(found[-1].starts_at, max(found[-1].ends_at, each.ends_at))
        else:
            found.append(each)
    return found


def within(stretches: Iterable[Stretch], bounds: Stretch) -> list[Stretch]:
    """Return what of them lies in `bounds`."""
    cut = (Stretch(max(each.starts_at, bounds.starts_at), min(each.ends_at, bounds.ends_at)) for each in stretches)
    return [each for each in cut if each.starts_at < each.ends_at]


def rest(bounds: Stretch, taken: Iterable[Stretch]) -> list[Stretch]:
    """Return what is left of `bounds` without these."""
    left, at = [], bounds.starts_at
    for each in joined(within(taken, bounds)):
        if each.starts_at > at:
            left.append(Stretch(at, each.starts_at))
        at = each.ends_at
    return [*left, Stretch(at, bounds.ends_at)] if at < bounds.ends_at else left


def active(uses: Iterable[Stretch], bounds: Stretch) -> list[Stretch]:
    """Return the buckets, joined, in which there was use; a moment of use counts for its whole bucket."""
    widened = (Stretch(_floor(each.starts_at), _floor(each.ends_at) + BUCKET) for each in uses)
    return within(joined(widened), bounds)


def off_hours(bounds: Stretch, zone: str) -> list[Stretch]:
    """Return the parts that are outside Monday to Friday, 8:00 to 20:00, by the clocks of the zone."""
    place = ZoneInfo(zone)
    day, last = bounds.starts_at.astimezone(place).date(), bounds.ends_at.astimezone(place).date()
    shifts = []
    while day <= last:
        if _is_worked(day):
            shifts.append(_shift(day, place))
        day += timedelta(days=1)
    return rest(bounds, shifts)


def working_day(at: datetime, zone: str) -> Stretch | None:
    """Return 8:00 to 20:00 of the day of this moment by the clocks of the zone; None on Saturdays and Sundays."""
    place = ZoneInfo(zone)
    day = at.astimezone(place).date()
    return _shift(day, place) if _is_worked(day) else None


def _floor(at: datetime) -> datetime:
    return at - (at - _EPOCH) % BUCKET


def _is_worked(day: date) -> bool:
    return day.weekday() < 5


@lru_cache(maxsize=1000)
def _shift(day: date, place: ZoneInfo) -> Stretch:
    begin, end = (datetime.combine(day, time(hour), place).astimezone(UTC) for hour in (8, 20))
    return Stretch(begin, end)
