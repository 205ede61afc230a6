"""Days and months of the books: UTC. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Self

ZONE = "UTC"
"""The billing time zone, printed on every page that shows costs."""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month [starts_at, ends_at)."""

    year: int
    number: int

    @classmethod
    def of(cls, at: datetime | date) -> Self:
        """Return the month in which the moment lies."""
        day = at.astimezone(UTC) if isinstance(at, datetime) else at
        return cls(day.year, day.month)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "2026-03"; ValueError for anything else."""
        found = re.fullmatch(r"([12][0-9]{3})-(0[1-9]|1[0-2])", text)
        if found is None:
            raise ValueError(f"{text!r} is not a month like 2026-03.")
        return cls(int(found[1]), int(found[2]))

    @property
    def starts_at(self) -> datetime:
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def ends_at(self) -> datetime:
        return self.following.starts_at

    @property
    def following(self) -> "Month":
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    @property
    def preceding(self) -> "Month":
        return Month(self.year - (self.number == 1), (self.number - 2) % 12 + 1)

    @property
    def first_day(self) -> date:
        return date(self.year, self.number, 1)

    def __str__(self) -> str:
        return f"{self.year}-{self.number:02}"


def day_start(at: datetime) -> datetime:
    """Return when the day of this moment began."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def months_back(last: Month, first: Month) -> list[Month]:
    """Return the months from `last` back to `first`, both included; at least `last`."""
    months = [last]
    while months[-1] > first:
        months.append(months[-1].preceding)
    return months
