"""What was paid for while nobody used it, by cause. Pure.

    idle waste = p · I ÷ 3600, with I = R − A

R: seconds charged; A: those of them that were active, in buckets of five minutes; p: price for an hour. Each idle second has one
cause, the first that fits: a night or weekend; after the last use of the run; a gap that is long; a short break.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from billing.insights.stretches import Stretch, active, off_hours, rest, total, within

LONG = timedelta(minutes=15)
"""Nobody would have paused for less."""


class Cause(StrEnum):
    """Why a second was idle."""

    OFF_HOURS = "off_hours"
    TAIL = "tail"  # after the last use of the run, which may be none at all
    LONG_GAP = "long_gap"
    SHORT_GAP = "short_gap"


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of charged time, up to now if it lasts; and the use of the whole run, of which the stretch may be a part."""

    span: Stretch
    uses: tuple[Stretch, ...]

    @property
    def active(self) -> list[Stretch]:
        """When it was in use."""
        return active(self.uses, self.span)


@dataclass(frozen=True, slots=True)
class Waste:
    """Seconds of runs: charged, active, and idle by cause."""

    charged: int
    active: int
    idle: Mapping[Cause, int]

    @property
    def idle_seconds(self) -> int:
        """All causes together: what was charged and not active."""
        return sum(self.idle.values())


def waste(runs: Iterable[Run], *, zone: str) -> Waste:
    """Add up runs; nights and weekends are those of the time zone."""
    charged = busy = 0
    idle = dict.fromkeys(Cause, 0)
    for run in runs:
        in_use = run.active
        charged += run.span.seconds
        busy += total(in_use)
        for cause, seconds in _idle(run, in_use, zone).items():
            idle[cause] += seconds
    return Waste(charged, busy, idle)


def _idle(run: Run, in_use: list[Stretch], zone: str) -> dict[Cause, int]:
    found = dict.fromkeys(Cause, 0)
    away_of_run = off_hours(run.span, zone)
    last_use = max((use.starts_at for use in run.uses), default=run.span.starts_at)
    for gap in rest(run.span, in_use):
        away = total(within(away_of_run, gap))
        found[Cause.OFF_HOURS] += away
        is_last = last_use < gap.ends_at
        is_long = gap.ends_at - gap.starts_at >= LONG
        cause = Cause.TAIL if is_last else Cause.LONG_GAP if is_long else Cause.SHORT_GAP
        found[cause] += gap.seconds - away
    return found
