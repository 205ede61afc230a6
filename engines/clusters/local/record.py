"""What is known of one workload, as data: its record, the record as JSON, and what the record means. Pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from engines.clusters.base import GpuSpec, Mount, Observation, Phase, SecretKey, SharedMount, WorkloadSpec
from engines.clusters.local.processes import Identity
from engines.reasons import Reason


@dataclass(frozen=True)
class Run:
    """One life of an engine. Moments are seconds since 1970, but `stop_by` is on the machine's monotonic clock."""

    id: str
    port: int
    devices: tuple[str, ...]
    created_at: float
    kernel_kills: int = 0  # the machine's count of out-of-memory kills at the start
    leader: Identity | None = None  # the recorder, leader of the run's session; None until it is known to be started
    recorder_lost: bool = False  # somebody killed the recorder alone: the leader is the oldest process that is left
    started_at: float | None = None
    known: tuple[Identity, ...] = ()  # processes of the run that were asked to end
    ready_at: float | None = None
    stop_by: float | None = None  # set once it shall end; forced from then on
    asked: bool = False  # SIGTERM was sent
    with_cluster: bool = False  # ends because the whole cluster is shut down
    over: bool = False
    ended_at: float | None = None
    reason: Reason | None = None
    evidence: str = ""


@dataclass(frozen=True)
class Record:
    """One workload. `epoch` is the last one applied, `stopped` the last one stopped."""

    name: str
    epoch: int = 0
    stopped: int = 0
    forget: bool = False
    spec: WorkloadSpec | None = None
    run: Run | None = None

    @property
    def live(self) -> Run | None:
        """The run that is not over yet."""
        return self.run if self.run and not self.run.over else None

    @property
    def stop_wanted(self) -> bool:
        return self.stopped >= self.epoch

    @property
    def phase(self) -> Phase:
        if self.run is None:
            return Phase.GONE
        if self.run.over:
            return Phase.GONE if self.stop_wanted else Phase.EXITED
        if self.run.stop_by is not None:
            return Phase.STOPPING
        if self.run.leader is None:
            return Phase.PENDING
        return Phase.READY if self.run.ready_at is not None else Phase.STARTING


def observation(record: Record) -> Observation:
    """Say what a record means, as of now."""
    phase, run, now = record.phase, record.run, datetime.now(UTC)
    if run is None:
        return Observation(record.name, phase, now, epoch=record.epoch)
    return Observation(
        name=record.name,
        phase=phase,
        observed_at=now,
        epoch=record.epoch,
        run_id=run.id,
        upstream=f"127.0.0.1:{run.port}" if phase in {Phase.STARTING, Phase.READY, Phase.STOPPING} else "",
        started_at=_moment(run.started_at),
        ready_at=_moment(run.ready_at),
        ended_at=_moment(run.ended_at),
        reason=run.reason if phase == Phase.EXITED else None,
        evidence=run.evidence,
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def to_json(record: Record) -> bytes:
    """Write a record out whole."""
    return json.dumps(asdict(record)).encode()


def from_json(text: bytes) -> Record:
    """Read a record; ValueError, KeyError or TypeError for anything else."""
    fields: dict[str, Any] = json.loads(text)
    spec, run = fields.pop("spec"), fields.pop("run")
    return Record(**fields, spec=_spec(spec) if spec else None, run=_run(run) if run else None)


def _spec(fields: Mapping[str, Any]) -> WorkloadSpec:
    return WorkloadSpec(
        **{
            **fields,
            "command": tuple(fields["command"]),
            "args": tuple(fields["args"]),
            "data_mounts": tuple(Mount(**mount) for mount in fields["data_mounts"]),
            "shared_mounts": tuple(SharedMount(**mount) for mount in fields.get("shared_mounts", ())),
            "secret_environment": {name: SecretKey(**key) for name, key in fields.get("secret_environment", {}).items()},
            "gpu": GpuSpec(**fields["gpu"]),
        }
    )


def _run(fields: Mapping[str, Any]) -> Run:
    return Run(
        **{
            **fields,
            "devices": tuple(fields["devices"]),
            "leader": Identity(**fields["leader"]) if fields["leader"] else None,
            "known": tuple(Identity(**identity) for identity in fields["known"]),
            "reason": Reason(fields["reason"]) if fields["reason"] else None,
        }
    )
