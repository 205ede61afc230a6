"""Working hours of a place: weekdays, from, until, in its own time zone. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Hours:
    """`days` are 0 (Monday) to 6; `until` not after `begin` means the next morning; both equal means the whole day."""

    days: frozenset[int]
    begin: time
    until: time
    zone: str

    def end_of_shift(self, now: datetime) -> datetime | None:
        """Return when the hours that `now` lies in end; None outside of them. When clocks change, they move the end."""
        zone = ZoneInfo(self.zone)
        today = now.astimezone(zone).date()
        for day in (today - timedelta(days=1), today):
            if day.weekday() in self.days:
                begin, end = self._shift(day, zone)
                if begin <= now < end:
                    return end
        return None

    def _shift(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        last = day if self.until > self.begin else day + timedelta(days=1)
        return datetime.combine(day, self.begin, zone), datetime.combine(last, self.until, zone)
