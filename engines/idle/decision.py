"""Is this instance still needed? One pure function of what is known, the policy, and now.

Two questions in this order. When may it be released at the earliest (`due`), if nobody does anything more? And once that moment
has come: does the engine work for somebody? Not to know is not to be idle, load may only delay, and two looks must find it free.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from engines.idle.policy import Policy

STREAM_GRACE = timedelta(seconds=45)
"""An open stream of work is told every ten seconds; two may be missed."""
LOOKS = 2
"""Between two queued jobs an engine is free for a moment."""
SPACING = timedelta(seconds=45)
"""Looks closer together count as one."""
SOON = timedelta(minutes=10)
"""From then on people are told that it will be released."""
IN_A_ROW = timedelta(minutes=3)
"""Looks further apart are not in a row: the portal was away, or the engine was in use and nobody asked it."""


class Why(StrEnum):
    """Why an instance is still on, or is released. Stored; sentences are in engines.queries.idle."""

    # still on
    EXEMPT = "exempt"
    WARM_UP = "warm_up"
    MINIMUM_RUN = "minimum_run"
    USED = "used"
    CALLED = "called"  # by a program, with a token
    KEPT = "kept"
    WORKING_HOURS = "working_hours"
    BUSY = "busy"
    STREAM = "stream"  # a page or program waits for a result
    LOAD = "load"
    UNKNOWN = "unknown"
    ONE_MORE_LOOK = "one_more_look"
    # released, or about to be
    IDLE = "idle"
    QUEUE_EMPTY = "queue_empty"
    SCHEDULE = "schedule"
    LIFE_OVER = "life_over"
    BUSY_TOO_LONG = "busy_too_long"
    UNKNOWN_TOO_LONG = "unknown_too_long"


class Said(StrEnum):
    """What an engine says of itself."""

    BUSY = "busy"
    FREE = "free"
    UNKNOWN = "unknown"  # it should say, and did not
    MUTE = "mute"  # nothing of it can be asked


@dataclass(frozen=True)
class Look:
    """What one look at an engine has shown.

    `all_jobs`: FREE covers the job that runs, not only those that wait. `load`: in words, what its processor or GPU does; empty
    if that is no work, None if it cannot be measured. `has_work`: some of its requests are open exactly as long as it works.
    """

    said: Said
    evidence: str = ""
    all_jobs: bool = True
    load: str | None = ""
    has_work: bool = False


@dataclass(frozen=True)
class Known:
    """What is known of one run. Moments are aware; None means never."""

    ready_at: datetime
    user_at: datetime | None = None
    api_at: datetime | None = None
    stream_at: datetime | None = None
    streams_counted: bool = True  # only then does the lack of an open stream say anything
    keep_until: datetime | None = None
    stop_due_at: datetime | None = None  # by a schedule
    when_free: bool = False  # somebody asked to release it as soon as its queue is empty
    busy_since: datetime | None = None
    unknown_since: datetime | None = None
    free_looks: int = 0
    looked_at: datetime | None = None


@dataclass(frozen=True)
class Decision:
    """`why` it is on, or is released; `due_at` is when it may be released at the earliest (None: never)."""

    release: bool
    why: Why
    due_at: datetime | None = None
    since: datetime | None = None  # of the signal
    evidence: str = ""
    warn: bool = False  # people should hear of it
    cause: Why | None = None  # of what is due: IDLE, QUEUE_EMPTY, SCHEDULE or LIFE_OVER


def next_due(known: Known, policy: Policy, now: datetime, *, mute: bool) -> Decision:
    """Say when it may be released at the earliest, and what for; `release` is whether that moment has come.

    `mute`: the engine cannot be asked, so idleness takes twice as long to be believed.
    """
    causes = list(_causes(known, policy, now, mute=mute))
    if not causes:
        return Decision(False, Why.EXEMPT)
    due = min(causes, key=lambda each: each.due_at or now)
    due = replace(due, cause=due.why)
    if due.due_at is None or due.due_at > now:
        return replace(due, why=_holder(known, policy, now), release=False)
    return replace(due, release=True)


def decide(known: Known, policy: Policy, now: datetime, look: Look) -> Decision:
    """Decide for an instance that is due, after a look at it that `known` already counts (see `counted`)."""
    due = next_due(known, policy, now, mute=look.said == Said.MUTE)
    if not due.release:
        return due
    doing = _doing(known, look, now)
    held = replace(due, release=False, evidence=look.evidence)
    if doing in {Why.STREAM, Why.BUSY, Why.LOAD}:
        since = known.stream_at if doing == Why.STREAM else known.busy_since
        return _working(known, policy, now, replace(held, why=doing, since=since, evidence=look.load or look.evidence))
    if doing == Why.UNKNOWN:
        return _unknown(known, policy, now, replace(held, why=doing, since=known.unknown_since))
    if known.free_looks < LOOKS:
        return replace(held, why=Why.ONE_MORE_LOOK)
    return replace(due, evidence=look.evidence)


def counted(known: Known, look: Look, now: datetime) -> Known:
    """Count a look: since when the engine is busy or unknown, how often in a row it was free."""
    doing = _doing(known, look, now)
    works = doing in {Why.STREAM, Why.BUSY, Why.LOAD}
    return replace(
        known,
        busy_since=(known.busy_since or now) if works else None,
        unknown_since=(known.unknown_since or now) if doing == Why.UNKNOWN else None,
        free_looks=_free_looks(known, now) if doing is None else 0,
        looked_at=now,
    )


def _free_looks(known: Known, now: datetime) -> int:
    """Count one more free look, if it is another one and in a row with the last."""
    if known.looked_at is None or not known.free_looks or now - known.looked_at > IN_A_ROW:
        return 1
    return known.free_looks + (now - known.looked_at >= SPACING)


def _doing(known: Known, look: Look, now: datetime) -> Why | None:
    """Say what speaks against the engine being free: STREAM, BUSY, LOAD or UNKNOWN; None if nothing does."""
    says_all = look.said == Said.FREE and look.all_jobs
    if known.stream_at is not None and now - known.stream_at <= STREAM_GRACE:
        return Why.STREAM
    if look.said == Said.BUSY:
        return Why.BUSY
    if look.load and not says_all:
        return Why.LOAD
    if look.said == Said.UNKNOWN or not (says_all or _is_covered(known, look)):
        return Why.UNKNOWN
    return None


def _is_covered(known: Known, look: Look) -> bool:
    """Whether streams and load can stand in for what the engine does not say of itself."""
    if look.said == Said.MUTE:
        return known.streams_counted or not look.has_work
    return known.streams_counted and look.load is not None


def _causes(known: Known, policy: Policy, now: datetime, *, mute: bool) -> Iterator[Decision]:
    if known.when_free:
        yield Decision(True, Why.QUEUE_EMPTY, now)
    if policy.maximum_life is not None:
        yield Decision(True, Why.LIFE_OVER, known.ready_at + policy.maximum_life, known.ready_at)
    if known.stop_due_at is not None:
        yield Decision(True, Why.SCHEDULE, max(known.stop_due_at, known.keep_until or known.stop_due_at), known.stop_due_at)
    if not policy.exempt:
        quiet_since, _holder = max(_uses(known, policy))
        due = quiet_since + policy.idle * (2 if mute else 1)
        due = max([due, *(moment for moment, _why in _holds(known, policy, now))])
        yield Decision(True, Why.IDLE, due, quiet_since)


def _uses(known: Known, policy: Policy) -> Iterator[tuple[datetime, Why]]:
    """What counts as use: idleness is measured from the last of these."""
    yield known.ready_at + policy.warm_up, Why.WARM_UP
    if known.user_at is not None:
        yield known.user_at, Why.USED
    if known.api_at is not None:
        yield known.api_at, Why.CALLED
    if known.stream_at is not None:
        yield known.stream_at, Why.STREAM


def _holds(known: Known, policy: Policy, now: datetime) -> Iterator[tuple[datetime, Why]]:
    """What keeps it on whether it is used or not."""
    yield known.ready_at + policy.minimum_run, Why.MINIMUM_RUN
    if known.keep_until is not None:
        yield known.keep_until, Why.KEPT
    end = policy.hours.end_of_shift(now) if policy.hours is not None else None
    if end is not None:
        yield end, Why.WORKING_HOURS


def _holder(known: Known, policy: Policy, now: datetime) -> Why:
    """Say what keeps it on longest."""
    if policy.exempt:
        return Why.EXEMPT
    last_use, use = max(_uses(known, policy))
    return max([(last_use + policy.idle, use), *_holds(known, policy, now)])[1]


def _working(known: Known, policy: Policy, now: datetime, working: Decision) -> Decision:
    """A running generation is never ended, unless the rule says that so long a one is none."""
    since = known.busy_since or now
    if policy.maximum_busy is None or now - since < policy.maximum_busy:
        return working
    return replace(working, why=Why.BUSY_TOO_LONG, since=since, warn=True, release=policy.end_busy)


def _unknown(known: Known, policy: Policy, now: datetime, unknown: Decision) -> Decision:
    since = known.unknown_since or now
    if now - since < policy.maximum_unknown:
        return unknown
    return replace(unknown, why=Why.UNKNOWN_TOO_LONG, warn=True, release=policy.release_unknown)
