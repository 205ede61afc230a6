"""Facts that are not believed by themselves: too old when they were observed, or from the future. Pure.

Clocks are wrong now and then, and so are those who replay what they have stored. Such a fact counts for nothing until an operator
says that it does. What an operator says is never in doubt.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

MAX_CLOCK_SKEW = timedelta(minutes=5)
MAX_AGE = timedelta(days=35)
"""A month, and the days for which it stays open."""
BEYOND_DOUBT = "operator"


class Doubt(StrEnum):
    """Why a fact is not believed."""

    FROM_THE_FUTURE = "from_the_future"
    TOO_OLD = "too_old"


class Sighting(Protocol):
    """A fact about a run or a volume."""

    @property
    def source(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def observed_at(self) -> datetime: ...
    @property
    def decided(self) -> bool | None:
        """Whether it counts, where an operator has said so."""


def doubt_of(fact: Sighting) -> Doubt | None:
    """Return why nobody knows whether the fact counts; None if it does, or if an operator has said that it does not."""
    if fact.source == BEYOND_DOUBT or fact.decided is not None:
        return None
    if fact.at > fact.observed_at + MAX_CLOCK_SKEW:
        return Doubt.FROM_THE_FUTURE
    return Doubt.TOO_OLD if fact.at < fact.observed_at - MAX_AGE else None


def counts(fact: Sighting) -> bool:
    """Tell whether usage may be worked out from the fact."""
    return fact.decided is not False and doubt_of(fact) is None


def in_doubt(facts: Iterable[Sighting]) -> int:
    """Return of how many facts somebody has to decide whether they count."""
    return sum(doubt_of(fact) is not None for fact in facts)
