"""Facts about one volume -> the time that it is billed. Pure: order, repeats and lateness of facts change nothing.

A volume is billed from its making until it is gone, whether anything runs on it or not: paused, kept, and in the trash.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from billing.doubts import counts
from billing.metering import Usage, UsageKind

MILLI = 1000


class VolumeKind(StrEnum):
    """What a fact says about its volume."""

    PROVISIONED = "provisioned"
    CHANGED = "changed"
    GONE = "gone"


_RANK = {"operator": 0, "cluster": 1, "portal": 2}
_KIND_ORDER = {kind: place for place, kind in enumerate(VolumeKind)}


@dataclass(frozen=True, slots=True)
class VolumeFact:
    """One thing known about a volume, and what it was from that moment on."""

    kind: str
    source: str
    at: datetime
    observed_at: datetime
    tenant_id: int
    owner_id: int
    size_gib: int
    storage_class: str = ""
    tag: str = ""
    decided: bool | None = None  # whether it counts, where an operator has said so


def meter_volume(facts: Iterable[VolumeFact]) -> tuple[Usage, ...]:
    """Work out the billed time of one volume, cut where its owner, size or tag changes; the last piece may last."""
    known = [fact for fact in {replace(fact, at=fact.at.replace(microsecond=0)) for fact in facts} if counts(fact)]
    start, end = _best(known, VolumeKind.PROVISIONED), _best(known, VolumeKind.GONE)
    if start is None or (end is not None and end <= start):
        return ()
    states = sorted((fact for fact in known if fact.kind != VolumeKind.GONE), key=_in_time)
    cuts: list[tuple[datetime, VolumeFact]] = []
    for fact in states:
        if fact.at <= start or not cuts:
            cuts = [(start, fact)]
        elif fact.at == cuts[-1][0]:
            cuts[-1] = (fact.at, fact)
        elif (end is None or fact.at < end) and _what(fact) != _what(cuts[-1][1]):
            cuts.append((fact.at, fact))
    ends = [*(at for at, _ in cuts[1:]), end]
    return tuple(_usage(fact, at, until) for (at, fact), until in zip(cuts, ends, strict=True))


def _best(facts: Iterable[VolumeFact], kind: VolumeKind) -> datetime | None:
    """Return the earliest moment that the most credible source gives."""
    found = [(_RANK[fact.source], fact.at) for fact in facts if fact.kind == kind]
    return min(found)[1] if found else None


def _in_time(fact: VolumeFact) -> tuple[object, ...]:
    """The last word of a second counts, and of two the more credible one."""
    return fact.at, _KIND_ORDER[VolumeKind(fact.kind)], -_RANK[fact.source], _what(fact)


def _what(fact: VolumeFact) -> tuple[int, int, int, str, str]:
    return fact.tenant_id, fact.owner_id, fact.size_gib, fact.storage_class, fact.tag


def _usage(fact: VolumeFact, start: datetime, end: datetime | None) -> Usage:
    return Usage(
        run_id="",
        starts_at=start,
        ends_at=end,
        tenant_id=fact.tenant_id,
        owner_id=fact.owner_id,
        gpu_class_id=None,
        kind=UsageKind.STORAGE,
        quantity_milli=fact.size_gib * MILLI,
        tag=fact.tag,
        storage_class=fact.storage_class,
    )
