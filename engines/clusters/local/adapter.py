"""The port, for engines as processes of this machine."""

import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from engines.clusters.base import (
    ClassCapacity,
    ClusterError,
    ClusterUnavailable,
    Finding,
    GpuSpec,
    Load,
    LogChunk,
    Observation,
    Phase,
    Proposal,
    StaleEpoch,
    VolumeRef,
    VolumeUsage,
    WorkloadRef,
    WorkloadSpec,
)
from engines.clusters.local import load, logs, processes, readiness, volumes
from engines.clusters.local.config import LocalConfig, read_config
from engines.clusters.local.devices import by_class, list_devices
from engines.clusters.local.files import disk_errors
from engines.clusters.local.leases import Exhausted, Leases
from engines.clusters.local.lives import Lives
from engines.clusters.local.record import Record, observation
from engines.clusters.local.store import Store
from engines.clusters.local.watch import Watcher
from engines.files.base import Files
from engines.files.store import Store as FileStore
from engines.reasons import Reason

log = logging.getLogger(__name__)
_PROBE_SECONDS = 0.5
_FORCED_END_SECONDS = 5.0  # how long processes may take to go after SIGKILL


class LocalCluster:
    """Engines as child processes of this machine, found again by a state directory, process number and start.

    Starts in a few milliseconds and needs no process of its own: whoever calls, in whatever process, first finishes what
    somebody else began. Engines run as the portal's own user, so this is for engines that one trusts.
    """

    def __init__(self, config: LocalConfig) -> None:
        """Make the state directory if it is not there."""
        self.store = Store(config.layout)
        self._config = config
        self._layout = config.layout
        self._leases = Leases(config)
        self._lives = Lives(config, self.store, self._leases, reclaim=self._reclaim)
        self._listening: set[str] = set()  # runs whose port was seen to be their own

    @classmethod
    def from_config(cls, slug: str, config: Mapping[str, Any]) -> Self:
        """Make the adapter of a cluster row; see LocalConfig for what `config` may hold."""
        return cls(read_config(slug, config))

    # --- volumes ---

    @disk_errors()
    def ensure_volume(self, volume: VolumeRef, *, tenant: str, size_gib: int) -> None:  # noqa: ARG002 - a directory has neither
        self._layout.volume(volume.name).mkdir(mode=0o700, exist_ok=True)

    def volume_exists(self, volume: VolumeRef) -> bool:
        return self._layout.volume(volume.name).is_dir()

    def can_mount(self, volume: VolumeRef, *, pool: str) -> bool:  # noqa: ARG002 - one machine is not divided
        return True

    def volume_usage(self, volume: VolumeRef) -> VolumeUsage:
        try:
            return volumes.measure(self._layout.volume(volume.name))
        except FileNotFoundError as error:
            raise ClusterError(Reason.VOLUME_MISSING, str(error)) from error

    def open_files(self, volume: VolumeRef, *, tenant: str) -> Files:  # noqa: ARG002 - a directory says nothing of it
        path = self._layout.volume(volume.name)
        if not self.volume_exists(volume):
            raise ClusterError(Reason.VOLUME_MISSING, f"{path} is not a directory")
        return FileStore(path)

    @disk_errors()
    def delete_volume(self, volume: VolumeRef) -> None:
        try:
            self._throw_away(volume)
        except Exhausted:
            self._reclaim()
            self._throw_away(volume)
        volumes.empty_trash(self._layout.volumes)

    def _throw_away(self, volume: VolumeRef) -> None:
        with self._leases.volume_unused(volume.name):
            if self.volume_exists(volume):
                volumes.throw_away(self._layout.volume(volume.name))

    # --- workloads ---

    @disk_errors()
    def apply(self, spec: WorkloadSpec) -> Observation:
        self._begin(spec)
        return self.observe(spec.ref)

    def _begin(self, spec: WorkloadSpec) -> None:
        with self.store.lock(spec.name) as lock:
            record = self._known(spec.name)
            if spec.epoch < record.epoch or spec.epoch <= record.stopped:
                raise StaleEpoch(f"{spec.name}: {spec.epoch} comes after {max(record.epoch, record.stopped)}")
            record = self._lives.advance(record, lock)
            if spec.epoch == record.epoch:
                return
            if record.live is None:
                self._lives.begin(replace(record, run=None) if record.forget else record, spec, lock)
            elif record.live.stop_by is None:
                self.store.save(replace(record, epoch=spec.epoch, spec=spec))
            else:
                raise ClusterUnavailable(f"the previous run of {spec.name} has not ended yet")

    @disk_errors()
    def stop(self, workload: WorkloadRef, *, epoch: int, grace_seconds: float) -> Observation:
        self._end(workload.name, epoch=epoch, grace_seconds=grace_seconds, forget=False)
        return self.observe(workload)

    @disk_errors()
    def delete(self, workload: WorkloadRef, *, epoch: int, grace_seconds: float) -> Observation:
        self._end(workload.name, epoch=epoch, grace_seconds=grace_seconds, forget=True)
        return self.observe(workload)

    def _end(self, name: str, *, epoch: int, grace_seconds: float, forget: bool) -> None:
        with self.store.lock(name) as lock:
            record = self._known(name)
            if epoch < record.epoch:
                raise StaleEpoch(f"{name}: {record.epoch} was applied after {epoch}")
            # What was never there is remembered as what was deleted: by its epoch alone.
            forget = forget or record.forget or (record.run is None and self.store.is_forgotten(name))
            wanted = replace(record, stopped=max(record.stopped, epoch), forget=forget)
            wanted = self._lives.ask_to_end(wanted, grace_seconds=grace_seconds)
            if wanted != record:
                self._write_end(wanted)
            self._lives.advance(wanted, lock)

    def _write_end(self, record: Record) -> None:
        if record.live is None and record.forget:
            return  # written as it is forgotten
        try:
            self.store.save(record)
        except OSError:
            # An engine that has filled the disk must be stoppable all the same; the caller asks again.
            self._lives.terminate(record)
            raise

    def _known(self, name: str) -> Record:
        return self.store.load(name) or Record(name)

    # --- looking ---

    @disk_errors()
    def observe(self, workload: WorkloadRef) -> Observation:
        record = self._known(workload.name)
        ready_run = self.answering_run(record, seconds=_PROBE_SECONDS) if record.phase == Phase.STARTING else ""
        return observation(self.look(workload.name, ready_run=ready_run))

    def list_workloads(self) -> list[Observation]:
        found = []
        for name in self.store.names():
            try:
                found.append(self.observe(WorkloadRef(name)))
            except (ClusterError, ClusterUnavailable) as error:
                log.warning("workload %s cannot be looked at: %s", name, error)
        return found

    def watch(self) -> Iterator[Observation | None]:
        self.store.prune()
        volumes.empty_trash(self._layout.volumes)
        return Watcher(self).run()

    def look(self, name: str, *, ready_run: str = "") -> Record:
        """Bring one workload up to date; `ready_run` has been seen to answer."""
        record = self._known(name)
        if ready_run or self._lives.needs_attention(record):
            with self.store.lock(name) as lock:
                record = self._lives.advance(self._known(name), lock, ready_run=ready_run)
        return record

    def answering_run(self, record: Record, *, seconds: float) -> str:
        """Return the id of the record's run if it answers its health path, else an empty string."""
        run, spec = record.live, record.spec
        if run is None or spec is None:
            return ""
        ready = readiness.answers(run.port, spec.health_path, is_its_own=lambda: self._owns_its_port(record), seconds=seconds)
        return run.id if ready else ""

    def _owns_its_port(self, record: Record) -> bool:
        run = record.live
        if run is None or run.leader is None:
            return False
        if run.id not in self._listening and (
            processes.listens(processes.family(run.leader), run.port)
            or processes.listens(processes.members(run.id, leader=run.leader), run.port)
        ):
            self._listening.add(run.id)
        return run.id in self._listening

    def read_log(self, workload: WorkloadRef, *, cursor: str = "", tail_bytes: int = 65_536) -> LogChunk:
        run = self._known(workload.name).run
        if run is None:
            return LogChunk("", cursor)
        return logs.read(self._layout.log(workload.name, run.id), run.id, cursor=cursor, tail_bytes=tail_bytes)

    def load(self, workload: WorkloadRef) -> Load | None:
        record = self._known(workload.name)
        run, spec = record.live, record.spec
        if run is None or run.leader is None or spec is None:
            return None
        own = run.devices if spec.gpu.sharing == "exclusive" else ()
        return load.measure(processes.members(run.id, leader=run.leader), own)

    def capacity(self, classes: Sequence[GpuSpec] = ()) -> list[ClassCapacity]:  # noqa: ARG002 - its own configuration says it
        gpus = {gpu_class: len(uuids) for gpu_class, uuids in by_class(list_devices(), self._config.gpus).items()}
        return [ClassCapacity(gpu_class, total) for gpu_class, total in (dict(self._config.slots) | gpus).items()]

    def propose_classes(self) -> list[Proposal]:
        return []  # the configuration names this machine's devices

    def inspect(self) -> list[Finding]:
        """Say what this machine offers: devices, slots, room on the disk of the volumes."""
        slots = ", ".join(f"{each.total} × {each.gpu_class}" for each in self.capacity()) or _("none")
        free_gib = shutil.disk_usage(self._layout.volumes).free / 2**30
        devices = ", ".join(device.name for device in list_devices()) or _("none")
        free = format_lazy(_("{size} GiB free in {directory}"), size=f"{free_gib:.1f}", directory=self._layout.volumes)
        return [
            Finding("slots", bool(self.capacity()), slots),
            Finding("GPUs", None, devices),
            Finding("disk", free_gib >= 1, free),
        ]

    # --- the whole cluster ---

    def shutdown(self, grace_seconds: float = 5.0) -> None:
        """End all engines and wait until they are gone; they are then EXITED, not stopped, for nobody wished them away."""
        names = self.store.names()
        for name in names:
            self._change(name, lambda record: self._lives.ask_to_end(record, grace_seconds=grace_seconds, with_cluster=True))
        deadline = time.monotonic() + grace_seconds + _FORCED_END_SECONDS
        while any(self.look(name).phase == Phase.STOPPING for name in names) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _change(self, name: str, change: Callable[[Record], Record]) -> None:
        with self.store.lock(name) as lock:
            record = self._lives.advance(self._known(name), lock)
            changed = change(record)
            if changed != record:
                self.store.save(changed)
            self._lives.advance(changed, lock)

    def _reclaim(self) -> None:
        """Give back what is held by runs that are over, or that never came to be because their start was cut off."""
        for name, lease in self._leases.holders().items():
            try:
                with self.store.lock(name, seconds=0) as lock:
                    run = self._lives.advance(self._known(name), lock).live
                    if run is None or run.id != lease.run_id:
                        self._leases.release(name, lease.run_id)
            except ClusterUnavailable:
                continue  # somebody is at it
