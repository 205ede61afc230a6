"""What this process last heard of each workload. A guess, never a truth: every write tests what it was based on."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from engines.clusters.base import Observation, Phase, VolumeRef, WorkloadRef
from engines.clusters.kubernetes.labels import EPOCH, SPEC_HASH, STOPPED_EPOCH

Key = tuple[str, str]  # namespace and name
_MOST = 20_000
_JUST_SECONDS = 60.0
_MOMENTS = timedelta(seconds=10)


@dataclass(frozen=True)
class Standing:
    """A StatefulSet as last answered; `at_rest` once its Pod was seen gone after the last stop."""

    uid: str
    epoch: int
    stopped: int
    replicas: int
    spec_hash: str
    grace_seconds: int
    claims_devices: bool = False
    at_rest: bool = False


def standing(statefulset: Mapping[str, Any]) -> Standing:
    """Read what matters for the next write."""
    about, spec = statefulset["metadata"], statefulset.get("spec") or {}
    notes = about.get("annotations") or {}
    pod = (spec.get("template") or {}).get("spec") or {}
    return Standing(
        uid=about.get("uid", ""),
        epoch=_number(notes.get(EPOCH)),
        stopped=_number(notes.get(STOPPED_EPOCH)),
        replicas=int(spec.get("replicas", 1)),
        spec_hash=str(notes.get(SPEC_HASH, "")),
        grace_seconds=int(pod.get("terminationGracePeriodSeconds", 30)),
        claims_devices=bool(pod.get("resourceClaims")),
    )


def _number(text: object) -> int:
    try:
        return int(str(text))
    except ValueError:
        return 0  # somebody edited it: as if nothing had been applied yet


class Memory:
    """Standings and last runs by workload, the least recently used forgotten first; safe between threads."""

    def __init__(self) -> None:
        """Know nothing."""
        self._standings: OrderedDict[Key, Standing] = OrderedDict()
        self._runs: OrderedDict[Key, Observation] = OrderedDict()
        self._made: OrderedDict[VolumeRef, float] = OrderedDict()
        self._lock = threading.Lock()

    def made(self, volume: VolumeRef) -> None:
        """Remember that this process created the volume now: it is empty, and no workload has ended on it."""
        with self._lock:
            _put(self._made, volume, time.monotonic())

    def unmade(self, volume: VolumeRef) -> None:
        """Forget a volume."""
        with self._lock:
            self._made.pop(volume, None)

    def just_made(self, volume: VolumeRef) -> bool:
        """Tell, once, whether this process created the volume within the last minute."""
        with self._lock:
            return time.monotonic() - self._made.pop(volume, float("-inf")) < _JUST_SECONDS

    def standing(self, workload: WorkloadRef) -> Standing | None:
        """Return what was last answered."""
        with self._lock:
            return self._standings.get(_key(workload))

    def keep(self, workload: WorkloadRef, known: Standing | None) -> None:
        """Remember an answer; None for what is not there."""
        with self._lock:
            if known is None:
                self._standings.pop(_key(workload), None)
            else:
                _put(self._standings, _key(workload), known)

    def change(self, workload: WorkloadRef, change: Callable[[Standing], Standing]) -> None:
        """Change what is remembered, if anything is."""
        with self._lock:
            known = self._standings.get(_key(workload))
            if known is not None:
                self._standings[_key(workload)] = change(known)

    def hear(self, workload: WorkloadRef, seen: Observation) -> Observation:
        """Remember the run that was seen, and complete what is GONE by the run that was seen before."""
        key = _key(workload)
        if seen.phase == Phase.GONE:
            self.change(workload, lambda known: replace(known, at_rest=known.replicas == 0))
        with self._lock:
            last = self._runs.get(key)
            if seen.phase == Phase.GONE and seen.ended_at is None and last is not None and seen.run_id in {"", last.run_id}:
                seen = _over(seen, last)
            if seen.run_id:
                _put(self._runs, key, seen)
            return seen


def _over(seen: Observation, last: Observation) -> Observation:
    """The last run ended between two looks: now, if they are moments apart; nobody knows when, if they are not."""
    between = seen.observed_at - last.observed_at
    ended_at = last.ended_at or (max(seen.observed_at, last.observed_at) if between <= _MOMENTS else None)
    return replace(
        seen,
        epoch=seen.epoch or last.epoch,
        run_id=last.run_id,
        started_at=last.started_at,
        ready_at=last.ready_at,
        ended_at=ended_at,
    )


def _key(workload: WorkloadRef) -> Key:
    return workload.namespace, workload.name


def _put(memory: OrderedDict[Any, Any], key: object, value: object) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > _MOST:
        memory.popitem(last=False)
