"""The claim of a volume. Made by the portal, never by a StatefulSet, so that it outlives what mounts it. Pure."""

from typing import Any

from engines.clusters.base import VolumeRef
from engines.clusters.kubernetes.config import KubernetesConfig
from engines.clusters.kubernetes.labels import volume_labels


def claim(config: KubernetesConfig, volume: VolumeRef, tenant: str, size_gib: int) -> dict[str, Any]:
    """Return the PersistentVolumeClaim of a new volume."""
    spec: dict[str, Any] = {
        "accessModes": [config.access_mode],
        "resources": {"requests": {"storage": f"{size_gib}Gi"}},
    }
    if config.storage_class:
        spec["storageClassName"] = config.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": volume.name, "namespace": volume.namespace, "labels": volume_labels(volume.name, tenant)},
        "spec": spec,
    }
