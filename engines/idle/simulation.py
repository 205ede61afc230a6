"""Replay the past under another idle time: what would have been saved, and whom it would have interrupted. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise


@dataclass(frozen=True)
class Span:
    """A stretch of use; `by_somebody` when a person or program waited for it, not the engine's own work alone."""

    began_at: datetime
    ended_at: datetime
    by_somebody: bool = True


@dataclass(frozen=True)
class Run:
    """One run and its use. `idle_after` is the idle time that ended it, if idleness did; `next_at` when it was started again."""

    ready_at: datetime
    ended_at: datetime
    spans: Sequence[Span]
    idle_after: timedelta | None = None
    next_at: datetime | None = None


@dataclass(frozen=True)
class Outcome:
    """Time in which GPUs would have been free (negative: longer taken), and what that would have meant for people."""

    saved: timedelta = timedelta(0)
    interrupted: int = 0
    """Somebody would have come back to an engine that had been released."""
    spared: int = 0
    """Somebody who waited for a start would have found the engine still on."""

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(self.saved + other.saved, self.interrupted + other.interrupted, self.spared + other.spared)


def replay(runs: Iterable[Run], *, idle: timedelta, warm_up: timedelta) -> Outcome:
    """Add up what an idle time of `idle` would have meant for these runs.

    saved = Σ over gaps of use longer than `idle`: gap − idle; minus, where idleness ended the run earlier than `idle` would
    have, the time until `idle` or the next start, whichever came first.
    """
    return sum((_of(run, idle, warm_up) for run in runs), Outcome())


def _of(run: Run, idle: timedelta, warm_up: timedelta) -> Outcome:
    uses = merged([Span(run.ready_at, min(run.ready_at + warm_up, run.ended_at)), *run.spans])
    outcome = Outcome()
    for before, after in pairwise(uses):
        gap = after.began_at - before.ended_at
        if gap > idle:
            outcome += Outcome(gap - idle, interrupted=int(after.by_somebody))
    rest = run.ended_at - uses[-1].ended_at
    if rest > idle:
        return outcome + Outcome(rest - idle)
    if run.idle_after is None or idle <= run.idle_after:
        return outcome
    longer, comes_back = idle - run.idle_after, run.next_at - run.ended_at if run.next_at else None
    if comes_back is not None and comes_back <= longer:
        return outcome + Outcome(-comes_back, spared=1)
    return outcome + Outcome(-longer)


def merged(spans: Iterable[Span]) -> list[Span]:
    """Join what touches or overlaps, in order."""
    result: list[Span] = []
    for span in sorted(spans, key=lambda each: each.began_at):
        if result and span.began_at <= result[-1].ended_at:
            last = result.pop()
            result.append(Span(last.began_at, max(last.ended_at, span.ended_at), last.by_somebody))
        else:
            result.append(span)
    return result
