"""Replay the past under another idle time: what would have been saved, and whom it would have interrupted. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from operator import attrgetter


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
    return replays(runs, idles=[idle], warm_up=warm_up)[0]


def replays(runs: Iterable[Run], *, idles: Sequence[timedelta], warm_up: timedelta) -> list[Outcome]:
    """Return the same for several idle times, in their order."""
    found = [Outcome()] * len(idles)
    for run in runs:
        uses = merged([Span(run.ready_at, min(run.ready_at + warm_up, run.ended_at)), *run.spans])
        gaps = [(after.began_at - before.ended_at, after.by_somebody) for before, after in pairwise(uses)]
        rest = run.ended_at - uses[-1].ended_at
        found = [sofar + _of(run, gaps, rest, idle) for sofar, idle in zip(found, idles, strict=True)]
    return found


def _of(run: Run, gaps: Iterable[tuple[timedelta, bool]], rest: timedelta, idle: timedelta) -> Outcome:
    longer_gaps = [(gap - idle, by_somebody) for gap, by_somebody in gaps if gap > idle]
    saved = sum((gap for gap, _by_somebody in longer_gaps), timedelta(0))
    outcome = Outcome(saved, interrupted=sum(by_somebody for _gap, by_somebody in longer_gaps))
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
    for span in sorted(spans, key=attrgetter("began_at")):
        if result and span.began_at <= result[-1].ended_at:
            last = result.pop()
            result.append(Span(last.began_at, max(last.ended_at, span.ended_at), last.by_somebody))
        else:
            result.append(span)
    return result
