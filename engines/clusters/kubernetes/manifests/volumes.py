"""Which directories an engine finds: its data, shared models, and room that vanishes with the Pod. Pure."""

from typing import Any

from engines.clusters.base import WorkloadSpec

DATA, TMP, SHM = "data", "tmp", "shm"
SHARED_PREFIX = "shared-"
_TMP_PATH, _SHM_PATH = "/tmp", "/dev/shm"  # noqa: S108 - paths inside the container
_TMP_SIZE = "20Gi"


def volumes(spec: WorkloadSpec) -> list[dict[str, Any]]:
    """Return the Pod's volumes."""
    found: list[dict[str, Any]] = [{"name": DATA, "persistentVolumeClaim": {"claimName": spec.volume}}]
    found += [
        {"name": _shared(index), "persistentVolumeClaim": {"claimName": mount.claim, "readOnly": True}}
        for index, mount in enumerate(spec.shared_mounts)
    ]
    if not _has_own(spec, _TMP_PATH):
        found.append({"name": TMP, "emptyDir": {"sizeLimit": _TMP_SIZE}})
    if spec.shm_mib and not _has_own(spec, _SHM_PATH):
        found.append({"name": SHM, "emptyDir": {"medium": "Memory", "sizeLimit": f"{spec.shm_mib}Mi"}})
    return found


def volume_mounts(spec: WorkloadSpec) -> list[dict[str, Any]]:
    """Return where the engine's container has them."""
    mounts: list[dict[str, Any]] = [
        {"name": DATA, "mountPath": mount.path} | ({"subPath": mount.subpath} if mount.subpath else {})
        for mount in spec.data_mounts
    ]
    mounts += [
        {"name": _shared(index), "mountPath": mount.path, "readOnly": True} for index, mount in enumerate(spec.shared_mounts)
    ]
    if not _has_own(spec, _TMP_PATH):
        mounts.append({"name": TMP, "mountPath": _TMP_PATH})
    if spec.shm_mib and not _has_own(spec, _SHM_PATH):
        mounts.append({"name": SHM, "mountPath": _SHM_PATH})
    return mounts


def _shared(index: int) -> str:
    return f"{SHARED_PREFIX}{index}"


def _has_own(spec: WorkloadSpec, path: str) -> bool:
    """Tell whether the version itself puts something there: a path can be mounted only once."""
    taken = [mount.path for mount in spec.data_mounts] + [mount.path for mount in spec.shared_mounts]
    return path in (each.rstrip("/") for each in taken)
