"""The claim of a volume: there, or not, where one that is being deleted is as good as gone."""

from engines.clusters.base import ClusterError, VolumeRef
from engines.clusters.kubernetes import paths
from engines.clusters.kubernetes.rest import Json, Rest
from engines.reasons import Reason


def home(volume: VolumeRef) -> str:
    """Return where a volume's claim is."""
    return paths.member("persistentvolumeclaims", volume.namespace, volume.name)


def find(rest: Rest, volume: VolumeRef) -> Json | None:
    """Read the claim; None if it is not there, or not for long."""
    claim = rest.find(home(volume))
    return None if claim is None or "deletionTimestamp" in claim["metadata"] else claim


def require(rest: Rest, volume: VolumeRef) -> Json:
    """Read the claim; ClusterError(VOLUME_MISSING) if it is not there, or not for long."""
    claim = find(rest, volume)
    if claim is None:
        raise ClusterError(Reason.VOLUME_MISSING, f"no claim {volume.name} in {volume.namespace}")
    return claim
