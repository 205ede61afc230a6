"""What goes into an observation: the objects of one workload as last seen, and what the cluster's configuration says. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from engines.clusters.base import Phase
from engines.clusters.kubernetes.labels import APPLIED_AT
from engines.clusters.kubernetes.objects import Json, annotation, dig, moment, number
from engines.reasons import Reason

CLOCKS_DIFFER = timedelta(seconds=5)  # the portal's and the cluster's


@dataclass(frozen=True)
class Settings:
    """What of a cluster's configuration decides what is seen."""

    max_restarts: int = 3  # how often a run may end and begin again, and a Pod be replaced for failing, before it is over
    upstream: str = "dns"  # or "cluster-ip", for a gateway that does not ask the cluster's name servers
    service_port: int = 80
    cluster_domain: str = "cluster.local"


@dataclass(frozen=True)
class Seen:
    """The objects of one workload, as the API sends them or pruned; what is not there, or not known, is None or empty."""

    name: str
    namespace: str = ""
    stateful_set: Json | None = None
    pods: Sequence[Json] = ()
    gone: Sequence[Json] = ()  # Pods seen deleted, as they were last; as many as are remembered
    claim: Json | None = None  # the PersistentVolumeClaim of its own volume
    events: Sequence[Json] = ()  # on any of these objects, in any order
    node: Json | None = None  # that the Pod is on
    service_ip: str = ""
    allocatable: Mapping[str, int] | None = None  # devices by resource, summed over the machines; None if nobody counted
    settings: Settings = field(default_factory=Settings)

    @property
    def is_wanted(self) -> bool:
        """Whether the cluster keeps a Pod for it. A Pod whose StatefulSet is not known speaks for itself."""
        return dig(self.stateful_set, "spec", "replicas") != 0 and not self.is_deleting

    @property
    def is_deleting(self) -> bool:
        """Whether its StatefulSet is on its way out."""
        return bool(dig(self.stateful_set, "metadata", "deletionTimestamp"))

    @property
    def is_noticed(self) -> bool:
        """Whether the cluster has taken note of the last wish."""
        return number(self.stateful_set, "status", "observedGeneration") >= number(self.stateful_set, "metadata", "generation")

    @property
    def applied_at(self) -> datetime | None:
        """Since when it is wished to run, by the cluster's clock at the earliest; None where nobody wrote it down."""
        applied = moment(annotation(self.stateful_set, APPLIED_AT))
        return applied - CLOCKS_DIFFER if applied and applied.year > 1 else None


@dataclass(frozen=True)
class Verdict:
    """A phase, why, and the raw words behind it."""

    phase: Phase
    reason: Reason | None = None
    evidence: str = ""
