"""What a volume remembers of workloads that are no more, so that nothing late begins them again.

A workload cannot run without its volume, so the volume's claim is where its ended epochs are written down: one annotation for
each workload that was deleted, or stopped before it ever was.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from engines.clusters.base import VolumeRef, WorkloadRef
from engines.clusters.kubernetes import claims
from engines.clusters.kubernetes.labels import ENDED
from engines.clusters.kubernetes.rest import ApiError, Rest

_KEPT = timedelta(days=40)


@dataclass(frozen=True)
class Tombstone:
    """The last epoch that is over, and the last run if it is known."""

    epoch: int
    run_id: str = ""
    written_at: datetime | None = None


def _key(workload: str) -> str:
    return f"{ENDED}{workload}"


def read(claim: Mapping[str, Any] | None, workload: str) -> Tombstone | None:
    """Return what the claim says of a workload, if anything; what somebody garbled counts as nothing."""
    text = ((claim or {}).get("metadata", {}).get("annotations") or {}).get(_key(workload))
    try:
        said = json.loads(text) if text else None
        return Tombstone(int(said["epoch"]), str(said.get("run", "")), datetime.fromisoformat(said["at"])) if said else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def write(rest: Rest, workload: WorkloadRef, tombstone: Tombstone) -> None:
    """Write it on the claim, newer than what it says already, and drop those of long ago; nothing to write on is no harm."""
    if not workload.volume:
        return
    volume = VolumeRef(workload.volume, workload.namespace)
    claim = rest.find(claims.home(volume))
    if claim is None:
        return
    old = read(claim, workload.name)
    if old is not None and old.epoch >= tombstone.epoch:
        return
    notes: dict[str, str | None] = dict.fromkeys(_forgotten(claim))
    said = {"epoch": tombstone.epoch, "run": tombstone.run_id, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    notes[_key(workload.name)] = json.dumps(said)
    # The version makes two that write at once see each other: the slower one is told 409 and comes again.
    about = {"annotations": notes, "resourceVersion": claim["metadata"]["resourceVersion"]}
    try:
        rest.merge(claims.home(volume), {"metadata": about})
    except ApiError as error:
        if error.status != 404:
            raise


def _forgotten(claim: Mapping[str, Any]) -> list[str]:
    """Keys of tombstones that are older than anything that could still be late."""
    prefix, now = _key(""), datetime.now(UTC)
    names = [key.removeprefix(prefix) for key in claim["metadata"].get("annotations") or {} if key.startswith(prefix)]
    dated = ((name, read(claim, name)) for name in names)
    return [_key(name) for name, stone in dated if stone is None or (stone.written_at or now) < now - _KEPT]
