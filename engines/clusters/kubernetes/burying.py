"""Write down on a volume's claim that a workload is over, so that nothing late begins it again.

A workload cannot run without its volume, so what must not be forgotten lies there.
"""

from datetime import UTC, datetime

from engines.clusters.base import VolumeRef, WorkloadRef
from engines.clusters.kubernetes import claims, tombstones
from engines.clusters.kubernetes.rest import ApiError, Rest
from engines.clusters.kubernetes.tombstones import Tombstone


def bury(rest: Rest, workload: WorkloadRef, tombstone: Tombstone) -> None:
    """Write it, if it is newer than what is written, and drop those of long ago; nothing to write on is no harm."""
    if not workload.volume:
        return
    home = claims.home(VolumeRef(workload.volume, workload.namespace))
    claim = rest.find(home)
    if claim is None:
        return
    old = tombstones.read(claim, workload.name)
    if old is not None and old.epoch >= tombstone.epoch:
        return
    notes: dict[str, str | None] = dict.fromkeys(tombstones.forgettable(claim, now=datetime.now(UTC)))
    notes[tombstones.key_of(workload.name)] = tombstones.inscription(tombstone)
    # The version makes two that write at once see each other: the slower one is told 409 and comes again.
    about = {"annotations": notes, "resourceVersion": claim["metadata"]["resourceVersion"]}
    try:
        rest.merge(home, {"metadata": about})
    except ApiError as error:
        if error.status != 404:
            raise
