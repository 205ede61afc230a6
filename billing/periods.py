"""Months as people name them; when one begins and ends is the account's calendar's affair. Pure."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Self


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month."""

    year: int
    number: int

    @classmethod
    def of(cls, day: date) -> Self:
        """Return the month in which the day lies."""
        return cls(day.year, day.month)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "2026-03"; ValueError for anything else."""
        found = re.fullmatch(r"([12][0-9]{3})-(0[1-9]|1[0-2])", text)
        if found is None:
            raise ValueError(f"{text!r} is not a month like 2026-03.")
        return cls(int(found[1]), int(found[2]))

    @property
    def following(self) -> "Month":
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    @property
    def preceding(self) -> "Month":
        return Month(self.year - (self.number == 1), (self.number - 2) % 12 + 1)

    @property
    def first_day(self) -> date:
        return date(self.year, self.number, 1)

    @property
    def last_day(self) -> date:
        return date.fromordinal(self.following.first_day.toordinal() - 1)

    def __str__(self) -> str:
        return f"{self.year}-{self.number:02}"


def months_back(last: Month, first: Month) -> list[Month]:
    """Return the months from `last` back to `first`, both included; at least `last`."""
    months = [last]
    while months[-1] > first:
        months.append(months[-1].preceding)
    return months
