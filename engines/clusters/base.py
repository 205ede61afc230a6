"""The port between the life cycle and whatever runs engines; every adapter is tested against the docstrings below."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from engines.clusters.sentences import Words
from engines.files.base import Files
from engines.reasons import Reason

POOLS = ("onprem", "cloud")
"""What the nodes of one cluster may be divided into, in the order in which launches go there; named as locations are."""


class Phase(StrEnum):
    """What a cluster says of one workload."""

    GONE = "gone"  # nothing runs and nothing holds a GPU; the volume may exist
    PENDING = "pending"  # accepted, no engine process yet
    STARTING = "starting"  # the engine process is alive but does not answer yet
    READY = "ready"  # it answered on its health path
    STOPPING = "stopping"  # asked to stop, still alive
    BROKEN = "broken"  # it will not come up by itself, yet holds its GPU until it is stopped
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


class FilesOpening(ClusterUnavailable):
    """The way to a volume's files is being made; ask again in a second or two."""


class StaleEpoch(Exception):
    """A newer epoch of this workload was already applied or stopped; the late call changed nothing."""


@dataclass(frozen=True)
class GpuSpec:
    """What a workload asks for, as data; an adapter uses what it understands."""

    gpu_class: str  # slug; capacity is counted by it
    vendor: str = "cpu"
    sharing: str = "exclusive"  # how a device is divided: exclusive, mig, time-slicing, mps, hami
    resource: str = ""
    count: int = 0
    cpu_millis: int = 1000
    ram_mib: int = 1024
    # What follows is for clusters that schedule; shapes as in a Kubernetes Pod.
    extra_limits: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity_preferred: Sequence[Mapping[str, Any]] = ()  # {weight, key, operator, values}
    tolerations: Sequence[Mapping[str, str]] = ()
    runtime_class_name: str = ""
    scheduler_name: str = ""
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)
    dra: Mapping[str, Any] = field(default_factory=dict)  # {first_available: [{name, device_class, count, cel}]}
    pod_patch: Mapping[str, Any] = field(default_factory=dict)  # strategic merge patch of the Pod template
    discover: Mapping[str, Any] = field(default_factory=dict)  # how it is counted: {"by", "slots"}, as in a catalog file


@dataclass(frozen=True)
class VolumeRef:
    """Which volume: its name and where it lies. Stored with the row, never recomputed."""

    name: str  # from names.volume_name()
    namespace: str = ""  # empty where the cluster has none


@dataclass(frozen=True)
class WorkloadRef:
    """Which workload: its name, where its objects are, and the volume it runs on. Stored, never recomputed."""

    name: str  # legal DNS label, unique for ever, from names.workload_name()
    namespace: str = ""
    volume: str = ""


@dataclass(frozen=True)
class Mount:
    """A directory of the volume where the engine expects it."""

    path: str
    subpath: str = ""


@dataclass(frozen=True)
class SharedMount:
    """A volume of the tenant's namespace that many read and nobody writes, such as its models."""

    claim: str
    path: str


@dataclass(frozen=True)
class SecretKey:
    """One entry of a secret in the tenant's namespace."""

    secret: str
    key: str


@dataclass(frozen=True)
class WorkloadSpec:
    """Everything needed to run one instance; complete in itself, so that nothing is recomputed from settings later."""

    name: str  # legal DNS label, unique for ever, from names.workload_name()
    instance_id: str  # UUID
    tenant: str  # slug
    epoch: int  # grows with every wish; a call with a smaller one changes nothing
    volume: str  # name of the volume, from names.volume_name()
    namespace: str = ""
    engine: str = ""  # slug, for those who read a cluster by its labels
    image: str = ""
    command: Sequence[str] = ()  # placeholders {port}, {data}, {python}
    args: Sequence[str] = ()
    port: int = 0  # the engine's own port; 0 where the cluster chooses ({port})
    health_path: str = "/"
    data_mounts: Sequence[Mount] = ()
    shm_mib: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    secret_environment: Mapping[str, SecretKey] = field(default_factory=dict)
    shared_mounts: Sequence[SharedMount] = ()
    startup_limit_seconds: int = 300
    stop_grace_seconds: float = 20
    run_as: str = ""  # numeric user, "root" or "0", empty for the cluster's default
    pool: str = ""  # one of POOLS: it must run on these nodes; empty in a cluster that is not divided
    pod_patch: Mapping[str, Any] = field(default_factory=dict)  # the engine version's, applied after the GPU class's
    gpu: GpuSpec = field(default_factory=lambda: GpuSpec("cpu"))

    @property
    def ref(self) -> WorkloadRef:
        """Its reference."""
        return WorkloadRef(self.name, self.namespace, self.volume)

    @property
    def volume_ref(self) -> VolumeRef:
        """Its volume's."""
        return VolumeRef(self.volume, self.namespace)


@dataclass(frozen=True)
class EndedRun:
    """An earlier life of the engine that is over; None for what nobody saw."""

    run_id: str
    started_at: datetime | None = None
    ready_at: datetime | None = None
    ended_at: datetime | None = None
    reason: Reason | None = None  # why the cluster ended it, where it says so
    evidence: str = ""


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
    remains: bool = False  # GONE, yet known to the cluster until it is deleted
    reason: Reason | None = None  # why it is in this phase, where the cluster knows; always for BROKEN
    evidence: str = ""  # raw text for operators: exit code, event, last log lines
    ended_runs: Sequence[EndedRun] = ()  # lives before run_id, where the cluster itself began a new one
    namespace: str = field(default="", compare=False)  # where it was seen; empty where a cluster has none
    # Its process runs from here, where a cluster tells that from `started_at`; no news in itself.
    launched_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ClassCapacity:
    """Slots of one GPU class in a cluster, or in one pool of a cluster that is divided."""

    gpu_class: str
    total: int  # that our workloads can have: what there is, less what others hold
    largest_node: int = 0  # of these on the one node that has most, where there are nodes
    evidence: str = ""  # why there are none, in raw words for operators
    pool: str = ""  # one of POOLS


@dataclass(frozen=True)
class LogChunk:
    """A piece of an engine's log; pass `cursor` back to read on. Text may end in the middle of a line."""

    text: str
    cursor: str


@dataclass(frozen=True)
class Load:
    """How much a workload does, over a short window. It may delay a rest and never cause one: an engine may work elsewhere."""

    cpu_share: float  # of one core: 2.0 is two cores in full; may count time spent waiting for one
    gpu_share: float | None = None  # of its busiest device's time, 0 to 1; None without one, or where it is not its alone


@dataclass(frozen=True)
class VolumeUsage:
    """Bytes used by a volume, and bytes still free where it lies (None where the cluster cannot tell)."""

    used_bytes: int
    free_bytes: int | None


@dataclass(frozen=True)
class Finding:
    """One thing that an inspection of a cluster found; `ok` is None for what is neither good nor bad."""

    subject: str
    ok: bool | None
    detail: Words  # in the language of whoever reads it


class Caution(StrEnum):
    """What an operator must know before a proposed GPU class is offered."""

    NOT_ISOLATED = "not_isolated"  # memory and faults are shared: one tenant at a time
    CONSUMER_LICENCE = "consumer_licence"  # the driver's licence restricts data centres
    CUT_IN_SOFTWARE = "cut_in_software"  # limits hold as long as the software in the container does
    EXPERIMENTAL = "experimental"
    NO_PRODUCT = "no_product"  # nodes do not say which card it is
    ANOTHER_IMAGE = "another_image"  # engines need images built for this maker
    BY_POLICY = "by_policy"  # nodes do not advertise how many there are


@dataclass(frozen=True)
class Proposal:
    """A GPU class that a cluster would support."""

    slug: str  # the same whenever the same thing is found
    entry: Mapping[str, Any]  # as a GPU class in a catalog file, without a price
    slots: int  # there now, if nobody uses any
    nodes: Sequence[str]
    cautions: Sequence[Caution] = ()


class Cluster(Protocol):
    """One place that runs engines. Every call may be repeated, by several processes at once, and may be cut off anywhere.

    What changes a workload returns what is known of it right after, or None where only a later look will tell.
    """

    def ensure_volume(self, volume: VolumeRef, *, tenant: str, size_gib: int) -> None:
        """Create the volume if it does not exist; never touch what is on an existing one."""

    def volume_exists(self, volume: VolumeRef) -> bool:
        """Tell whether the volume is there."""

    def can_mount(self, volume: VolumeRef, *, pool: str) -> bool:
        """Tell whether a workload in the pool could have the volume; True also for one that is not there, or lies nowhere yet."""

    def volume_usage(self, volume: VolumeRef) -> VolumeUsage:
        """Measure a volume; ClusterError(VOLUME_MISSING) if it is not there, ClusterUnavailable where it cannot be told now."""

    def open_files(self, volume: VolumeRef, *, tenant: str) -> Files:
        """Give access to what is on a volume, also while nothing runs on it; it closes by itself when nobody uses it.

        Raises FilesOpening while that takes its time, ClusterError(VOLUME_MISSING) if the volume is not there, and another
        ClusterError where the engine has the volume for itself until it is stopped.
        """

    def delete_volume(self, volume: VolumeRef) -> None:
        """Remove the volume and what is on it; does nothing if it is gone. ClusterError if a workload still uses it."""

    def apply(self, spec: WorkloadSpec) -> Observation | None:
        """Run the workload, or do nothing if this epoch was applied already, also when it has exited since.

        Raises StaleEpoch for an epoch older than the last applied or not newer than the last stopped one, ClusterError for a
        refusal, VOLUME_MISSING included: it never creates the volume. A refusal leaves everything as it was before: nothing
        of this epoch runs, no GPU or port is held, and the same call may be tried again. A newer epoch of a workload that
        runs takes it over as it is; what changed in the spec counts from the next start. While the last run is still
        ending it raises ClusterUnavailable.
        """

    def stop(self, workload: WorkloadRef, *, epoch: int, grace_seconds: float) -> Observation | None:
        """Ask the engine to end, and return at once; after `grace_seconds` it is forced by whoever calls or watches next.

        Once gone, the volume remains and no epoch up to and including this one can be applied again. Does nothing if
        nothing runs. A later call may hasten the end, never postpone it. Raises StaleEpoch if a newer epoch was applied.
        """

    def delete(self, workload: WorkloadRef, *, epoch: int, grace_seconds: float) -> Observation | None:
        """As stop, and forget the workload once it is gone: no list has it any more; the volume remains.

        Its epochs and the end of its last run are still known to `apply` and `observe` for a month at least.
        """

    def observe(self, workload: WorkloadRef) -> Observation:
        """Look at one workload now; GONE for one that was never there."""

    def list_workloads(self) -> list[Observation]:
        """Look at all workloads now, those that have stopped or exited included until they are deleted.

        One that cannot be looked at is left out: what is not in the list is not therefore gone.
        """

    def watch(self) -> Iterator[Observation | None]:
        """Yield every workload's present state, then each change as it is seen, for ever; nothing is skipped for good.

        Yields None at least once a second when nothing changes, so that the caller can attend to its own duties.
        """

    def read_log(self, workload: WorkloadRef, *, cursor: str = "", tail_bytes: int = 65_536) -> LogChunk:
        """Read the engine's output from `cursor`, or its last `tail_bytes` without one; empty text when there is nothing new.

        One call returns a bounded piece: read on until the text is empty.

        The log of the last run remains readable while the workload is stopped, where the cluster keeps it. A cursor of an older
        run starts the newer log at its beginning.
        """

    def load(self, workload: WorkloadRef) -> Load | None:
        """Tell how much the workload does, within a second; None where nothing runs, or where it is not measured."""

    def capacity(self, classes: Sequence[GpuSpec]) -> list[ClassCapacity]:
        """Count the slots of every GPU class that this cluster offers, pool by pool; `classes` are all of the catalog."""

    def propose_classes(self) -> list[Proposal]:
        """Propose GPU classes for what the cluster advertises; empty where it cannot tell."""

    def inspect(self) -> list[Finding]:
        """Try what a portal needs of the cluster and say what was found, for operators; changes nothing that lasts."""
