"""The port between the life cycle and whatever runs engines; every adapter is tested against the docstrings below."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from engines.reasons import Reason


class Phase(StrEnum):
    """What a cluster says of one workload."""

    GONE = "gone"  # nothing runs and nothing holds a GPU; the volume may exist
    PENDING = "pending"  # accepted, no engine process yet
    STARTING = "starting"  # the engine process is alive but does not answer yet
    READY = "ready"  # it answered on its health path
    STOPPING = "stopping"  # asked to stop, still alive
    EXITED = "exited"  # ended without being asked to; nothing runs


class ClusterError(Exception):
    """The cluster refused for good: trying the same again will not help.

    `reason` is from the closed vocabulary, the message is the raw evidence for operators.
    """

    def __init__(self, reason: Reason, evidence: str) -> None:
        """Keep the reason beside the evidence."""
        super().__init__(evidence)
        self.reason = reason


class ClusterUnavailable(Exception):
    """The cluster did not answer; the same call may succeed later."""


class StaleEpoch(Exception):
    """A newer epoch of this workload was already applied or stopped; the late call changed nothing."""


@dataclass(frozen=True)
class GpuSpec:
    """What a workload asks for, as data; an adapter uses what it understands."""

    gpu_class: str  # slug; capacity is counted by it
    vendor: str = "cpu"
    resource: str = ""
    count: int = 0
    cpu_millis: int = 1000
    ram_mib: int = 1024
    pod_patch: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Mount:
    """A directory of the volume where the engine expects it."""

    path: str
    subpath: str = ""


@dataclass(frozen=True)
class WorkloadSpec:
    """Everything needed to run one instance; complete in itself, so that nothing is recomputed from settings later."""

    name: str  # legal DNS label, unique for ever, from names.workload_name()
    instance_id: str  # UUID
    tenant: str  # slug
    epoch: int  # grows with every wish; a call with a smaller one changes nothing
    volume: str  # name of the volume, from names.volume_name()
    image: str = ""
    command: Sequence[str] = ()  # placeholders {port}, {data}, {python}
    args: Sequence[str] = ()
    port: int = 0  # the engine's own port; 0 where the cluster chooses ({port})
    health_path: str = "/"
    data_mounts: Sequence[Mount] = ()
    shm_mib: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    startup_limit_seconds: int = 300
    run_as: str = ""
    gpu: GpuSpec = field(default_factory=lambda: GpuSpec("cpu"))


@dataclass(frozen=True)
class Observation:
    """One workload as seen at one moment. All moments are aware and in UTC."""

    name: str
    phase: Phase
    observed_at: datetime
    epoch: int = 0
    run_id: str = ""  # identifies one life of the engine: Pod UID, or pid and start time; never reused
    upstream: str = ""  # host:port that the gateway dials; set while the engine is alive: STARTING, READY, STOPPING
    started_at: datetime | None = None  # the GPU is taken from here
    ready_at: datetime | None = None
    ended_at: datetime | None = None  # of run_id, once it is EXITED or GONE; None if nobody saw the end
    reason: Reason | None = None  # why it is PENDING or EXITED, where the cluster knows
    evidence: str = ""  # raw text for operators: exit code, event, last log lines


@dataclass(frozen=True)
class ClassCapacity:
    """Slots of one GPU class in a cluster."""

    gpu_class: str
    total: int


@dataclass(frozen=True)
class LogChunk:
    """A piece of an engine's log; pass `cursor` back to read on. Text may end in the middle of a line."""

    text: str
    cursor: str


@dataclass(frozen=True)
class VolumeUsage:
    """Bytes used by a volume, and bytes still free where it lies (None where the cluster cannot tell)."""

    used_bytes: int
    free_bytes: int | None


class Cluster(Protocol):
    """One place that runs engines. Every call may be repeated, by several processes at once, and may be cut off anywhere."""

    def ensure_volume(self, name: str, *, tenant: str, size_gib: int) -> None:
        """Create the volume if it does not exist; never touch what is on an existing one."""

    def volume_exists(self, name: str) -> bool:
        """Tell whether the volume is there."""

    def volume_usage(self, name: str) -> VolumeUsage:
        """Measure a volume; ClusterError(VOLUME_MISSING) if it is not there."""

    def delete_volume(self, name: str) -> None:
        """Remove the volume and what is on it; does nothing if it is gone. ClusterError if a workload still uses it."""

    def apply(self, spec: WorkloadSpec) -> None:
        """Run the workload, or do nothing if this epoch was applied already, also when it has exited since.

        Raises StaleEpoch for an epoch older than the last applied or not newer than the last stopped one, ClusterError for a
        refusal, VOLUME_MISSING included: it never creates the volume. A refusal leaves everything as it was before: nothing
        of this epoch runs, no GPU or port is held, and the same call may be tried again. A newer epoch of a workload that
        runs takes it over as it is; what changed in the spec counts from the next start. While the last run is still
        ending it raises ClusterUnavailable.
        """

    def stop(self, name: str, *, epoch: int, grace_seconds: float) -> None:
        """Ask the engine to end, and return at once; after `grace_seconds` it is forced by whoever calls or watches next.

        Once gone, the volume remains and no epoch up to and including this one can be applied again. Does nothing if
        nothing runs. A later call may hasten the end, never postpone it. Raises StaleEpoch if a newer epoch was applied.
        """

    def delete(self, name: str, *, epoch: int, grace_seconds: float) -> None:
        """As stop, and forget the workload once it is gone: no list has it any more; the volume remains.

        Its epochs and the end of its last run are still known to `apply` and `observe` for a month at least.
        """

    def observe(self, name: str) -> Observation:
        """Look at one workload now; GONE for one that was never there."""

    def list_workloads(self) -> list[Observation]:
        """Look at all workloads now, those that have stopped or exited included until they are deleted.

        One that cannot be looked at is left out: what is not in the list is not therefore gone.
        """

    def watch(self) -> Iterator[Observation | None]:
        """Yield every workload's present state, then each change as it is seen, for ever; nothing is skipped for good.

        Yields None at least once a second when nothing changes, so that the caller can attend to its own duties.
        """

    def read_log(self, name: str, *, cursor: str = "", tail_bytes: int = 65_536) -> LogChunk:
        """Read the engine's output from `cursor`, or its last `tail_bytes` without one; empty text when there is nothing new.

        One call returns a bounded piece: read on until the text is empty.

        The log of the last run remains readable while the workload is stopped. A cursor of an older run starts the newer log
        at its beginning.
        """

    def capacity(self) -> list[ClassCapacity]:
        """Count the slots of every GPU class that this cluster offers."""
