"""What a volume's claim says of workloads that are no more: one annotation each, written and read here alone. Pure."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from engines.clusters.kubernetes.labels import ENDED
from engines.clusters.kubernetes.objects import Json, annotation, dig, moment, number, text

_KEPT = timedelta(days=40)


@dataclass(frozen=True)
class Tombstone:
    """The last epoch that is over, and the last run and its end as far as they were known when it was written; whole seconds."""

    epoch: int
    written_at: datetime | None = None
    run_id: str = ""
    ended_at: datetime | None = None


def key_of(workload: str) -> str:
    """Return the name of a workload's annotation."""
    return f"{ENDED}{workload}"


def inscription(tombstone: Tombstone) -> str:
    """Return the text of the annotation."""
    moments = {"at": tombstone.written_at, "ended_at": tombstone.ended_at}
    told = {name: at.astimezone(UTC).isoformat(timespec="seconds") for name, at in moments.items() if at}
    return json.dumps({"epoch": tombstone.epoch, "run": tombstone.run_id, **told})


def read(claim: Json | None, workload: str) -> Tombstone | None:
    """Return what the claim says of a workload, if anything; what somebody garbled counts as nothing."""
    try:
        said = json.loads(annotation(claim, key_of(workload)))
    except (ValueError, RecursionError):
        return None
    epoch = number(said, "epoch")
    if epoch < 1:
        return None
    return Tombstone(epoch, moment(said, "at"), text(said, "run"), moment(said, "ended_at"))


def forgettable(claim: Json, *, now: datetime) -> Iterable[str]:
    """Return the keys of those that are garbled, or older than anything that could still be late."""
    notes = dig(claim, "metadata", "annotations")
    for key in notes if isinstance(notes, dict) else ():
        if key.startswith(ENDED):
            stone = read(claim, key.removeprefix(ENDED))
            if stone is None or (stone.written_at or now) < now - _KEPT:
                yield key
