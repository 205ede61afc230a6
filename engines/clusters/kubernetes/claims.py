"""The claim of a volume: there, or not, where one that is being deleted is as good as gone; and where its data lies."""

from collections.abc import Mapping

from engines.clusters.base import ClusterError, VolumeRef
from engines.clusters.kubernetes import paths
from engines.clusters.kubernetes.nodes import fits, is_selected
from engines.clusters.kubernetes.rest import Json, Rest
from engines.reasons import Reason

SELECTED_NODE = "volume.kubernetes.io/selected-node"


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


def reaches(rest: Rest, volume: VolumeRef, labels: Mapping[str, str]) -> bool:
    """Tell whether some node with these labels can mount the volume, by the node affinity of its PersistentVolume.

    A claim that waits for its first Pod goes where that goes; once a node was selected, its data is being made there.
    """
    claim = find(rest, volume)
    if claim is None:
        return True
    title = claim["spec"].get("volumeName")
    if not title:
        return SELECTED_NODE not in (claim["metadata"].get("annotations") or {})
    spec = (rest.find(paths.member("persistentvolumes", "", title)) or {}).get("spec") or {}
    terms = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms")
    if not terms:
        return True  # any node can
    nodes = (node for node in rest.items(paths.collection("nodes")) if is_selected(node, labels))
    return any(fits(node, term) for node in nodes for term in terms)
