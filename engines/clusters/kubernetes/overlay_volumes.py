"""Which volumes and mounts an overlay may name: no path of the node, no token, and never the engine's own data. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from engines.clusters.kubernetes.manifests.volumes import DATA, SHARED_PREFIX
from engines.clusters.kubernetes.patch import DIRECTIVES

_SOURCES = frozenset({
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
})  # fmt: skip
_PROJECTED = frozenset({"configMap", "downwardAPI", "secret"})
_MOUNT = frozenset({"mountPath", "name", "readOnly", "recursiveReadOnly", "subPath"})


def volume_problems(volumes: list[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with entries of `spec.volumes`."""
    for each in volumes:
        name = str(each.get("name", ""))
        where = f"spec.volumes[{name}]"
        if not name:
            yield "spec.volumes: $patch would drop the engine's data"
        elif name == DATA or name.startswith(SHARED_PREFIX):
            yield f"{where} is made by the portal; choose another name"
        for source, value in each.items():
            if source not in _SOURCES | DIRECTIVES | {"name"}:
                yield f"{where}.{source} would show the engine what lies outside its tenant"
            elif source == "projected":
                yield from _projected(value or {}, where)


def _projected(projected: Mapping[str, Any], where: str) -> Iterator[str]:
    for each in projected.get("sources") or []:
        for source in each:
            if source not in _PROJECTED:
                yield f"{where}.projected.{source} would hand the engine a proof of who it is in the cluster"


def mount_problems(mounts: list[Mapping[str, Any]], path: str) -> Iterator[str]:
    """Yield what is wrong with a container's `volumeMounts`."""
    for each in mounts:
        if "mountPath" not in each:
            yield f"{path}: $patch would drop the engine's data"
        for key in each:
            if key not in _MOUNT and key != "$patch":
                yield f"{path}[{each.get('mountPath', '')}].{key} is not for a patch to set"
