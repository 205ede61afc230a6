"""Engines as processes of this machine, each in a session of its own, with its own data directory and port."""

import errno
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from django.conf import settings

from engines.clusters.base import (
    ClassCapacity,
    ClusterError,
    LogChunk,
    Observation,
    Phase,
    StaleEpoch,
    VolumeUsage,
    WorkloadSpec,
)
from engines.clusters.local import devices, logs, processes
from engines.clusters.local.files import locked
from engines.clusters.local.ports import PortPool
from engines.clusters.local.readiness import is_ready
from engines.clusters.local.records import Record, Run
from engines.clusters.local.volumes import Volumes
from engines.clusters.local.workload import Workload, workloads_below
from engines.reasons import Reason

QUARANTINE_SECONDS = 600.0
# How often `watch` looks while something is on its way, and while nothing is.
_BUSY_SECONDS = 0.02
_CALM_SECONDS = 0.1
_ON_ITS_WAY = {Phase.PENDING, Phase.STARTING, Phase.STOPPING}


class LocalCluster:
    """The port of `engines.clusters.base` on this machine. State lives in files below `root`, so any process may call."""

    def __init__(
        self,
        root: Path,
        *,
        slots: Mapping[str, int],
        gpus: Mapping[str, Sequence[int] | str],
        ports: Sequence[int],
        quarantine_seconds: float = QUARANTINE_SECONDS,
    ) -> None:
        """`slots`: CPU class → how many; `gpus`: GPU class → device indexes, or a part of their product name."""
        self.root = root
        self.slots = dict(slots)
        self.gpus = devices.devices_by_class(gpus, devices.gpu_names()) if gpus else {}
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.pool = PortPool(root, ports, quarantine_seconds)
        self.volumes = Volumes(root / "volumes")
        self._workloads: dict[str, Workload] = {}

    @classmethod
    def from_config(cls, slug: str, config: Mapping[str, Any]) -> Self:
        """Make one from a cluster row: `slots`, `gpus`, and optionally `root` and `port_quarantine_seconds`."""
        return cls(
            Path(config.get("root") or settings.DATA_DIR / "clusters" / slug),
            slots=config.get("slots", {}),
            gpus=config.get("gpus", {}),
            ports=settings.LOCAL_PORTS,
            quarantine_seconds=config.get("port_quarantine_seconds", QUARANTINE_SECONDS),
        )

    # --- volumes ----------------------------------------------------------------------------------------------------

    def ensure_volume(self, name: str, *, tenant: str, size_gib: int) -> None:  # noqa: ARG002 - directories know neither
        with _disk_errors():
            self.volumes.ensure(name)

    def volume_exists(self, name: str) -> bool:
        return self.volumes.exists(name)

    def volume_usage(self, name: str) -> VolumeUsage:
        return self.volumes.usage(name)

    def delete_volume(self, name: str) -> None:
        for workload in self._all():
            record = workload.record
            if record.volume == name and record.run is not None and not record.run.over:
                raise ClusterError(Reason.START_REFUSED, f"{workload.name} uses {name}")
        self.volumes.delete(name)

    # --- workloads --------------------------------------------------------------------------------------------------

    def apply(self, spec: WorkloadSpec) -> None:
        if not spec.command:
            raise ClusterError(Reason.START_REFUSED, "this machine runs commands, and the engine version has only an image")
        workload = self._workload(spec.name)
        with workload.locked(), _disk_errors():
            record = workload.record
            if spec.epoch < record.epoch or spec.epoch <= record.stopped_epoch:
                raise StaleEpoch(f"{spec.name}: {spec.epoch} is older than {max(record.epoch, record.stopped_epoch)}")
            if spec.epoch == record.epoch and record.run is not None:
                if record.run.over or workload.begun(record.run) or workload.alive(record.run):
                    return
                run = record.run  # written down and never started: start it now
            else:
                _refuse_second_run(workload, record)
                run = self._new_run(spec)
            self._start(workload, spec, run)

    def _new_run(self, spec: WorkloadSpec) -> Run:
        if not self.volumes.exists(spec.volume):
            raise ClusterError(Reason.VOLUME_MISSING, f"{self.volumes.path(spec.volume)} is not there")
        run_id = str(uuid.uuid4())
        with locked(self.root / "devices.lock"):
            chosen = self._devices(spec)
            port = self.pool.take(run_id, in_use=self._in_use)
        return Run(run_id=run_id, port=port, started_at=time.time(), devices=chosen)

    def _start(self, workload: Workload, spec: WorkloadSpec, run: Run) -> None:
        """Write the run down, then start it; a refusal leaves nothing behind."""
        data = self.volumes.path(spec.volume)
        try:
            command = _command(spec, run, data)
            scratch = workload.prepare_run(run)
            record = Record(
                epoch=spec.epoch,
                stopped_epoch=workload.record.stopped_epoch,
                health_path=spec.health_path,
                volume=spec.volume,
                run=run,
            )
            workload.save(record)
            environment = processes.environment_for(
                workload=spec.name, run_id=run.run_id, home=data, scratch=scratch, extra=_extra_environment(spec, run, data)
            )
            processes.spawn(command, directory=data, environment=environment, run_directory=workload.run_directory(run))
        except (ClusterError, OSError):
            self.pool.give_back(run.port, run.run_id)
            workload.save(replace(workload.record, run=None))
            raise

    def stop(self, name: str, *, epoch: int, grace_seconds: float) -> None:
        self._end(name, epoch=epoch, grace_seconds=grace_seconds, forget=False)

    def delete(self, name: str, *, epoch: int, grace_seconds: float) -> None:
        self._end(name, epoch=epoch, grace_seconds=grace_seconds, forget=True)

    def _end(self, name: str, *, epoch: int, grace_seconds: float, forget: bool) -> None:
        workload = self._workload(name)
        with workload.locked(), _disk_errors():
            record = workload.record
            if epoch < record.epoch:
                raise StaleEpoch(f"{name}: {epoch} is older than {record.epoch}")
            workload.request_stop(record, epoch=epoch, grace_seconds=grace_seconds, forget=forget)
        self._attend(workload)

    def observe(self, name: str) -> Observation:
        workload = self._workload(name)
        if not workload.directory.exists():
            return workload.observation()
        self._attend(workload)
        return workload.observation()

    def list_workloads(self) -> list[Observation]:
        observations = []
        for workload in self._all():
            self._attend(workload)
            if not workload.record.deleted or workload.record.run is not None:
                observations.append(workload.observation())
        return observations

    def watch(self) -> Iterator[Observation | None]:
        known: dict[str, tuple[object, ...]] = {}
        next_breath = time.monotonic() + 1
        while True:
            busy = False
            for workload in self._all():
                self._attend(workload)
                seen = workload.observation()
                busy = busy or seen.phase in _ON_ITS_WAY
                mark = (seen.phase, seen.epoch, seen.run_id, seen.ready_at, seen.ended_at)
                if known.get(seen.name) != mark:
                    known[seen.name] = mark
                    yield seen
            if time.monotonic() >= next_breath:
                next_breath = time.monotonic() + 1
                self._bound_logs()
                yield None
            time.sleep(_BUSY_SECONDS if busy else _CALM_SECONDS)

    def read_log(self, name: str, *, cursor: str = "", tail_bytes: int = 65_536) -> LogChunk:
        workload = self._workload(name)
        run = workload.record.run
        if run is None:
            return LogChunk("", cursor)
        return logs.read(run.run_id, workload.log(run), cursor=cursor, tail_bytes=tail_bytes)

    def capacity(self) -> list[ClassCapacity]:
        return [ClassCapacity(name, total) for name, total in self.slots.items()] + [
            ClassCapacity(name, len(indexes)) for name, indexes in self.gpus.items()
        ]

    def shutdown(self, grace_seconds: float = 5) -> None:
        """End every engine of this cluster and wait until all are gone; data and logs stay."""
        for workload in self._all():
            record = workload.record
            if record.run is not None and not record.run.over:
                self.stop(workload.name, epoch=max(record.epoch, record.stopped_epoch), grace_seconds=grace_seconds)
        while any(self.observe(workload.name).phase == Phase.STOPPING for workload in self._all()):
            time.sleep(_BUSY_SECONDS)

    # --- attending: whoever looks also does what is due ----------------------------------------------------------------

    def _attend(self, workload: Workload) -> None:
        """Probe, force and settle what is due for one workload."""
        record = workload.record
        run = record.run
        if run is None:
            return
        if not run.over:
            self._attend_run(workload, record, run)
        elif record.deleted:
            with workload.locked():
                workload.forget(workload.record)

    def _attend_run(self, workload: Workload, record: Record, run: Run) -> None:
        if not workload.alive(run):
            with workload.locked():
                if workload.settle_end(workload.record):
                    self.pool.give_back(run.port, run.run_id)
            if workload.record.deleted:
                self._attend(workload)
        elif run.stop_by is not None:
            with workload.locked():
                workload.force_if_due(workload.record)
        elif run.ready_at is None and is_ready(run.run_id, run.port, record.health_path):
            with workload.locked():
                workload.mark_ready(run.run_id)

    def _bound_logs(self) -> None:
        for workload in self._all():
            if workload.record.run is not None:
                logs.bound(workload.log(workload.record.run))

    def _workload(self, name: str) -> Workload:
        return self._workloads.setdefault(name, Workload(self.root / "workloads" / name))

    def _all(self) -> list[Workload]:
        return [self._workload(name) for name in workloads_below(self.root / "workloads")]

    def _running(self) -> list[Run]:
        """Runs that are not over, and so hold their port and devices."""
        runs = [workload.record.run for workload in self._all()]
        return [run for run in runs if run is not None and not run.over]

    def _in_use(self, run_id: str) -> bool:
        return any(run.run_id == run_id for run in self._running())

    def _devices(self, spec: WorkloadSpec) -> list[int]:
        if spec.gpu.gpu_class not in self.gpus:
            return []
        taken = [
            index for each in self._all() if each.record.run and not each.record.run.over for index in each.record.run.devices
        ]
        chosen = devices.free_devices(self.gpus[spec.gpu.gpu_class], taken, max(spec.gpu.count, 1))
        if chosen is None:
            raise ClusterError(Reason.START_REFUSED, f"no free device of class {spec.gpu.gpu_class}")
        return chosen


def _refuse_second_run(workload: Workload, record: Record) -> None:
    """A newer epoch starts only when nothing of the older one is left."""
    if record.run is not None and not record.run.over and (workload.alive(record.run) or workload.begun(record.run)):
        raise StaleEpoch(f"{workload.name}: epoch {record.epoch} still runs; stop it first")


def _command(spec: WorkloadSpec, run: Run, data: Path) -> list[str]:
    try:
        command = processes.filled_in([*spec.command, *spec.args], port=run.port, data=data)
    except (KeyError, ValueError, IndexError) as error:
        raise ClusterError(Reason.START_REFUSED, f"the command has a placeholder that is not known: {error}") from error
    if not processes.can_run(command[0], data):
        raise ClusterError(Reason.START_REFUSED, f"{command[0]} is not a program on this machine")
    return command


def _extra_environment(spec: WorkloadSpec, run: Run, data: Path) -> dict[str, str]:
    try:
        values = processes.filled_in(list(spec.environment.values()), port=run.port, data=data)
    except (KeyError, ValueError, IndexError) as error:
        raise ClusterError(Reason.START_REFUSED, f"the environment has a placeholder that is not known: {error}") from error
    visible = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, run.devices))} if run.devices else {}
    return dict(zip(spec.environment, values, strict=True)) | visible


@contextmanager
def _disk_errors() -> Iterator[None]:
    """A full disk is a refusal with its own reason; other trouble of the file system is said as it is."""
    try:
        yield
    except OSError as error:
        reason = Reason.DISK_FULL if error.errno in {errno.ENOSPC, errno.EDQUOT} else Reason.START_REFUSED
        raise ClusterError(reason, str(error)) from error
