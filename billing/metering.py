"""Facts about the runs of one instance -> the time that is billed. Pure: order, repeats and lateness of facts change nothing."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from billing.doubts import counts, doubt_of


class Kind(StrEnum):
    """What a fact says about its run."""

    STARTED = "started"
    LAUNCHED = "launched"
    READY = "ready"
    SEEN = "seen"
    ENDED = "ended"


class Source(StrEnum):
    """Who says so; the first is believed before the others."""

    OPERATOR = "operator"
    CLUSTER = "cluster"
    RECONCILE = "reconcile"


class BillFrom(StrEnum):
    """From which moment of a run on its time is billed."""

    READY = "ready"
    STARTED = "started"  # its process runs
    SCHEDULED = "scheduled"  # its GPU is taken


class UsageKind(StrEnum):
    """What time is billed as, or why it is free."""

    GPU = "gpu"
    STORAGE = "storage"
    STARTING = "starting"
    FAILED_START = "failed"


class Trouble(StrEnum):
    """What is wrong with the facts of a run."""

    FROM_THE_FUTURE = "from_the_future"  # a fact later than its observation; left out until an operator says that it counts
    TOO_OLD = "too_old"  # a fact that was observed long after; left out alike
    END_WITHOUT_START = "end_without_start"  # nothing is billed
    ENDED_BEFORE_START = "ended_before_start"  # nothing is billed
    OVERLAP = "overlap"  # cut off where the next run of the instance begins


_KIND_ORDER = {kind: place for place, kind in enumerate(Kind)}
_RANK = {source: place for place, source in enumerate(Source)}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known about a run, and who used it at that moment."""

    run_id: str
    kind: str
    source: str
    at: datetime
    observed_at: datetime
    tenant_id: int
    owner_id: int
    gpu_class_id: int
    quantity_milli: int = 1000
    tag: str = ""
    decided: bool | None = None  # whether it counts, where an operator has said so


@dataclass(frozen=True, slots=True)
class OwnerChange:
    """A moment from which on the instance is somebody else's, whoever a fact names: facts may be noted late."""

    at: datetime
    from_owner_id: int
    to_owner_id: int


@dataclass(frozen=True, slots=True)
class TagChange:
    """A moment from which on the instance serves another tag, whichever a fact names."""

    at: datetime
    from_tag: str
    to_tag: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Time [starts_at, ends_at) in whole seconds that one owner used one GPU class, or had a volume; `ends_at` None: it lasts."""

    run_id: str  # empty for storage
    starts_at: datetime
    ends_at: datetime | None
    tenant_id: int
    owner_id: int
    gpu_class_id: int | None
    kind: str = UsageKind.GPU
    quantity_milli: int = 1000  # of a GPU, or of a GiB
    tag: str = ""
    storage_class: str = ""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A run whose facts do not fit together."""

    run_id: str
    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Metered:
    """What the facts come to: usage by start, without overlap; what was odd; and the time that took a GPU and is free."""

    usage: tuple[Usage, ...]
    anomalies: tuple[Anomaly, ...]
    unbilled: tuple[Usage, ...] = ()


@dataclass(slots=True)
class _Run:
    """One life of an engine process."""

    run_id: str
    facts: list[Fact]
    taken_at: datetime | None = None  # its GPU is taken from here
    starts_at: datetime | None = None  # billed from here; None: it never got ready
    ends_at: datetime | None = None
    anomalies: list[Trouble] = field(default_factory=list)

    @property
    def last_sign_of_life(self) -> datetime:
        return max(fact.at for fact in self.facts if fact.kind != Kind.ENDED)


@dataclass(frozen=True, slots=True)
class _Change:
    at: datetime
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class _Changes:
    """What is known for certain, whatever facts say that were noted late."""

    owners: Sequence[_Change]
    tags: Sequence[_Change]


def meter(
    facts: Iterable[Fact],
    *,
    holds_gpu: bool,
    bill_from: BillFrom,
    handovers: Iterable[OwnerChange] = (),
    tag_changes: Iterable[TagChange] = (),
) -> Metered:
    """Work out the billed time from all facts of one instance, and all of its hand-overs and changes of tag in their order.

    `holds_gpu`: whether the instance's slot is still taken. A run without an end lasts as long as that and as it is the
    latest; otherwise it ended with its last sign of life, in favour of the person who pays.
    """
    known, anomalies = _believable(facts)
    runs = [_read(run_id, known[run_id], bill_from) for run_id in sorted(known)]
    _end_what_is_over(runs, holds_gpu=holds_gpu)
    billed = sorted((run for run in runs if _is_billed(run)), key=lambda run: (run.starts_at, run.run_id))
    for run, following in pairwise(billed):
        if run.ends_at is None or run.ends_at > _moment(following.starts_at):
            run.ends_at = following.starts_at
            run.anomalies.append(Trouble.OVERLAP)
    anomalies += [Anomaly(run.run_id, trouble) for run in runs for trouble in run.anomalies]
    changes = _Changes(
        owners=[_Change(_whole(each.at), each.from_owner_id, each.to_owner_id) for each in handovers],
        tags=[_Change(_whole(each.at), each.from_tag, each.to_tag) for each in tag_changes],
    )
    usage = [
        piece
        for run in billed
        if run.starts_at != run.ends_at
        for piece in _by_attribution(run, _moment(run.starts_at), run.ends_at, UsageKind.GPU, changes)
    ]
    return Metered(tuple(usage), tuple(anomalies), tuple(_unbilled(runs, usage, changes)))


def _whole(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _believable(facts: Iterable[Fact]) -> tuple[dict[str, list[Fact]], list[Anomaly]]:
    """Sort distinct facts by run and time, floored to whole seconds, without those in doubt."""
    known: dict[str, list[Fact]] = defaultdict(list)
    in_doubt: set[tuple[str, Trouble]] = set()
    for fact in {replace(fact, at=fact.at.replace(microsecond=0)) for fact in facts}:
        doubt = doubt_of(fact)
        if doubt is not None:
            in_doubt.add((fact.run_id, Trouble(doubt)))
        elif counts(fact):
            known[fact.run_id].append(fact)
    for of_run in known.values():
        of_run.sort(key=_in_time)
    return known, [Anomaly(run_id, trouble) for run_id, trouble in sorted(in_doubt)]


def _in_time(fact: Fact) -> tuple[object, ...]:
    return (
        fact.at,
        _KIND_ORDER[Kind(fact.kind)],
        _RANK[Source(fact.source)],
        fact.tenant_id,
        fact.owner_id,
        fact.gpu_class_id,
        fact.quantity_milli,
        fact.tag,
    )


def _read(run_id: str, facts: list[Fact], bill_from: BillFrom) -> _Run:
    run = _Run(run_id, facts)
    started, ready = _best(facts, Kind.STARTED), _best(facts, Kind.READY)
    launched = _best(facts, Kind.LAUNCHED) or started
    signs = [fact.at for fact in facts if fact.kind != Kind.ENDED]
    # Signs of life are noted by round marks, which may lie before the start.
    run.taken_at = started or ready or min(signs, default=None)
    if ready is not None:
        since = {BillFrom.READY: ready, BillFrom.STARTED: launched, BillFrom.SCHEDULED: started}[bill_from]
        run.starts_at = ready if since is None else min(since, ready)
    run.ends_at = _end(facts)
    if not signs:
        run.anomalies.append(Trouble.END_WITHOUT_START)
    if run.starts_at is not None and run.ends_at is not None and run.ends_at < run.starts_at:
        run.anomalies.append(Trouble.ENDED_BEFORE_START)
        run.ends_at = run.starts_at
    return run


def _best(facts: Iterable[Fact], kind: Kind) -> datetime | None:
    """Return the earliest moment that the most credible source gives."""
    found = [(_RANK[Source(fact.source)], fact.at) for fact in facts if fact.kind == kind]
    return min(found)[1] if found else None


def _end(facts: list[Fact]) -> datetime | None:
    """Return when the run ended; an end concluded from absence is refuted by a later sign of life."""
    last_sign = max((fact.at for fact in facts if fact.kind != Kind.ENDED), default=None)
    ends = [
        fact
        for fact in facts
        if fact.kind == Kind.ENDED and (fact.source != Source.RECONCILE or last_sign is None or fact.at >= last_sign)
    ]
    return _best(ends, Kind.ENDED)


def _end_what_is_over(runs: list[_Run], *, holds_gpu: bool) -> None:
    alive = [run for run in runs if run.taken_at is not None]
    latest = max(alive, key=lambda run: (run.taken_at, run.run_id), default=None)
    for run in alive:
        if run.ends_at is None and not (holds_gpu and run is latest):
            run.ends_at = run.last_sign_of_life


def _is_billed(run: _Run) -> bool:
    return run.starts_at is not None and run.starts_at != run.ends_at


def _unbilled(runs: Iterable[_Run], usage: Iterable[Usage], changes: _Changes) -> Iterable[Usage]:
    """Time in which a run had its GPU and is not billed, as far as no other run was billed for it or had it."""
    taken: list[tuple[datetime, datetime | None]] = [(piece.starts_at, piece.ends_at) for piece in usage]
    for run in sorted((run for run in runs if run.taken_at is not None), key=lambda run: (run.taken_at, run.run_id)):
        failed = run.starts_at is None and run.ends_at is not None
        until = run.ends_at if run.starts_at is None else run.starts_at
        for start, end in _gaps(_moment(run.taken_at), until, taken):
            kind = UsageKind.FAILED_START if failed else UsageKind.STARTING
            yield from _by_attribution(run, start, end, kind, changes)
            taken.append((start, end))


def _gaps(
    start: datetime, end: datetime | None, taken: Iterable[tuple[datetime, datetime | None]]
) -> Iterable[tuple[datetime, datetime | None]]:
    """Return what of [start, end) is not taken."""
    found = []
    for begin, stop in sorted(taken, key=lambda span: span[0]):
        if end is not None and begin >= end:
            break
        if begin > start:
            found.append((start, begin))
        if stop is None:
            return found
        start = max(start, stop)
    return found if end is not None and start >= end else [*found, (start, end)]


def _by_attribution(run: _Run, start: datetime, end: datetime | None, kind: UsageKind, changes: _Changes) -> Iterable[Usage]:
    """Cut time of the run where it changed hands or tags. A run keeps the GPU class of its first fact, and how much of it."""
    first = run.facts[0]
    told = {fact.at: (fact.tenant_id, fact.owner_id, fact.tag) for fact in run.facts}  # the last word of a second counts
    moments = sorted({*told, *(each.at for each in (*changes.owners, *changes.tags))})
    cuts: list[tuple[datetime, tuple[int, object, object]]] = []
    word = (first.tenant_id, first.owner_id, first.tag)
    for at in moments:
        if end is not None and at >= end:
            break
        word = told.get(at, word)
        value = (word[0], _at(at, word[1], changes.owners), _at(at, word[2], changes.tags))
        if not cuts or at <= start:
            cuts = [(start, value)]
        elif value != cuts[-1][1]:
            cuts.append((at, value))
    ends = [*(at for at, _ in cuts[1:]), end]
    return [
        Usage(run.run_id, at, until, tenant_id, owner_id, first.gpu_class_id, kind, first.quantity_milli, tag)  # type: ignore[arg-type]
        for (at, (tenant_id, owner_id, tag)), until in zip(cuts, ends, strict=True)
    ]


def _at(at: datetime, told: object, changes: Sequence[_Change]) -> object:
    """Return what counted: changes know for certain, and without any the fact itself does."""
    later = next((each for each in changes if each.at > at), None)
    if later is not None:
        return later.before
    return changes[-1].after if changes else told


def _moment(at: datetime | None) -> datetime:
    if at is None:
        raise ValueError("A run that is not billed has no start.")
    return at
