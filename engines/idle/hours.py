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
        """Return when the hours that `now` lies in end; None outside of them. When clocks change, they move the end.

        Hours that go on in the next day's without a break end with those, a week ahead at most.
        """
        zone = ZoneInfo(self.zone)
        today = now.astimezone(zone).date()
        end = None
        for number in range(-1, 8):
            day = today + timedelta(days=number)
            if day.weekday() in self.days:
                begin, until = self._shift(day, zone)
                if begin <= (end or now) < until:
                    end = until
        return end

    def _shift(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        last = day if self.until > self.begin else day + timedelta(days=1)
        return datetime.combine(day, self.begin, zone), datetime.combine(last, self.until, zone)
