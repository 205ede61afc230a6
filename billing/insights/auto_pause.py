"""Which idle time would have been best: the past replayed under each. Pure.

    saved(T) = Σ max(0, gap − T) − ρ · number of gaps > T after which somebody came back

T: idle time after which an engine is paused; gap: time without use; ρ: what a start takes. An idle time of T = ρ never costs more
than twice what somebody would pay who knew all gaps beforehand (the ski rental problem: Karlin, Manasse, Rudolph, Sleator,
"Competitive snoopy caching", 1988). The replay is that of the idle rules, which also knows of runs that idleness has ended.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from billing.money import round_half_even
from billing.rating import amount_of
from engines.idle.simulation import Outcome, Run, replays

USUAL = (5, 10, 15, 20, 30, 45, 60, 120, 240)
"""Minutes that people choose among."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What one idle time would have meant. Below 0: it would have cost more."""

    minutes: int
    saved_seconds: int
    resumes: int  # times that somebody would have waited for a start
    amount: Decimal
    days: int

    def __add__(self, other: "Choice") -> "Choice":
        """Put another GPU class beside it, at its own price."""
        return Choice(
            self.minutes,
            self.saved_seconds + other.saved_seconds,
            self.resumes + other.resumes,
            self.amount + other.amount,
            self.days,
        )

    @property
    def resumes_a_day(self) -> Decimal:
        """With one decimal."""
        return round_half_even(Decimal(self.resumes) / self.days, 1)


def choices_for(start_seconds: int) -> list[int]:
    """Return the minutes to look at: the usual ones, and what a start takes."""
    return sorted({max(1, -(-start_seconds // 60)), *USUAL})


def curve(
    runs: Sequence[Run], minutes: Iterable[int], *, start_seconds: int, per_hour: Decimal, days: int, warm_up: timedelta
) -> list[Choice]:
    """Replay the runs of one price under each idle time. `warm_up` after each start counts as use."""
    minutes = list(minutes)
    found = []
    for each, outcome in zip(minutes, _replayed(runs, minutes, warm_up), strict=True):
        seconds = outcome.saved // timedelta(seconds=1) - start_seconds * outcome.interrupted
        found.append(Choice(each, seconds, outcome.interrupted, amount_of(per_hour, seconds), days))
    return found


def _replayed(runs: Sequence[Run], minutes: Iterable[int], warm_up: timedelta) -> list[Outcome]:
    return replays(runs, idles=[timedelta(minutes=each) for each in minutes], warm_up=warm_up)


def best(found: Iterable[Choice]) -> Choice | None:
    """Return the choice that saves most, of equal ones that which interrupts least; None where none saves anything."""
    saving = [each for each in found if each.amount > 0]
    return max(saving, key=lambda each: (each.amount, -each.resumes, each.minutes), default=None)
