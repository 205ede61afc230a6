"""An engine's own output. Reading is all that pages ever ask of a cluster; only the reconciler acts."""

from dataclasses import dataclass

from engines.clusters import get_cluster
from engines.clusters.base import ClusterError, ClusterUnavailable, LogChunk, WorkloadRef
from engines.models import Instance

PAGE_BYTES = 65_536
DOWNLOAD_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class LogSource:
    """Where an instance's log is, detached from the database, so that it can be followed without a connection."""

    cluster: object
    workload: WorkloadRef

    def read(self, cursor: str = "", tail_bytes: int = PAGE_BYTES) -> LogChunk | None:
        """Return what came since `cursor`, or the last `tail_bytes`; None while the cluster does not answer."""
        try:
            return get_cluster(self.cluster).read_log(self.workload, cursor=cursor, tail_bytes=tail_bytes)  # type: ignore[arg-type]
        except (ClusterUnavailable, ClusterError):
            return None


def log_of(instance: Instance) -> LogSource:
    """Return the log of an instance read with `with_details`."""
    return LogSource(instance.cluster, instance.workload)
