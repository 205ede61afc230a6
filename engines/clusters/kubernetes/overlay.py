"""What an operator's overlay of a Pod may change: checked when it is saved, so that nothing is refused at a launch.

Fields are allowed by name; everything else is refused. What is refused would let an engine out of its Pod (host namespaces,
devices and paths of the node, privileges, tokens), or take from the portal what it relies on (its labels, the engine's port,
its volume, devices that are counted). docs/guides/catalog.md tells operators.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Any

from engines.clusters.kubernetes.labels import ENGINE_CONTAINER, MANAGED_BY, OURS
from engines.clusters.kubernetes.overlay_security import handler_problems, security_problems
from engines.clusters.kubernetes.overlay_volumes import mount_problems, volume_problems
from engines.clusters.kubernetes.patch import DIRECTIVES, PATCH, PatchError, strategic_merge
from engines.clusters.kubernetes.pod_shape import shape_problems

_POD_FIELDS = frozenset({
    "affinity", "containers", "dnsConfig", "dnsPolicy", "enableServiceLinks", "hostAliases", "hostUsers", "imagePullSecrets",
    "initContainers", "nodeSelector", "priorityClassName", "runtimeClassName", "schedulerName", "schedulingGates",
    "securityContext", "tolerations", "topologySpreadConstraints", "volumes",
})  # fmt: skip
_POD_KEPT = ("affinity", "containers", "securityContext", "tolerations", "volumes", "hostUsers")
_ENGINE_FIELDS = frozenset({
    "args", "command", "env", "envFrom", "imagePullPolicy", "lifecycle", "livenessProbe", "name", "readinessProbe", "resources",
    "securityContext", "startupProbe", "volumeMounts", "workingDir",
})  # fmt: skip
_ENGINE_KEPT = ("resources", "securityContext", "startupProbe", "volumeMounts")
_FURTHER_FIELDS = _ENGINE_FIELDS | {"image", "restartPolicy"}

_WHY = {
    "hostNetwork": "would put the engine into the network of its node",
    "hostPID": "would show the engine all processes of its node",
    "hostIPC": "would share the memory of its node's processes",
    "serviceAccountName": "would make the engine somebody in the cluster",
    "serviceAccount": "would make the engine somebody in the cluster",
    "automountServiceAccountToken": "would hand the engine a token of the cluster",
    "nodeName": "would pass by the scheduler; use nodeSelector",
    "namespace": "is the tenant's and does not change",
    "ports": "is the version's own: nothing else is let in",
    "image": "is the version's own",
    "terminationGracePeriodSeconds": "is a setting of the portal",
    "resourceClaims": "comes from the device claim of the GPU class",
}


def patch_problem(patch: Any) -> str:
    """Say in a sentence why the patch cannot be laid over a Pod template; empty if it can."""
    if patch in ({}, None):
        return ""
    return next(chain(shape_problems(patch), _merge_problem(patch), _rule_problems(patch)), "")


def _merge_problem(patch: Mapping[str, Any]) -> Iterator[str]:
    try:
        strategic_merge({"spec": {"containers": [{"name": ENGINE_CONTAINER}]}}, patch)
    except PatchError as error:
        yield str(error)


def _rule_problems(patch: Mapping[str, Any]) -> Iterator[str]:
    yield from allowed(patch, "", {"metadata", "spec"}, kept=("metadata", "spec"))
    metadata, spec = patch.get("metadata") or {}, patch.get("spec") or {}
    yield from allowed(metadata, "metadata", {"annotations", "labels"}, kept=("annotations", "labels"))
    for field in ("annotations", "labels"):
        yield from _ours(metadata.get(field) or {}, f"metadata.{field}")
    yield from allowed(spec, "spec", _POD_FIELDS, kept=_POD_KEPT)
    yield from _scheduling_problems(spec)
    yield from security_problems(spec.get("securityContext") or {}, "spec.securityContext")
    yield from volume_problems(spec.get("volumes") or [])
    for field in ("containers", "initContainers"):
        yield from _container_list_problems(spec.get(field) or [], f"spec.{field}")


def allowed(values: Mapping[str, Any], path: str, fields: Collection[str], *, kept: Collection[str] = ()) -> Iterator[str]:
    """Yield the keys that are not among `fields`, removals of what is `kept`, and replacement of the whole."""
    for key, value in values.items():
        where = f"{path}.{key}" if path else key
        if key in DIRECTIVES:
            yield f"{path or 'the patch'}: {key} would drop what the portal needs there"
        elif key not in fields:
            yield f"{where} {_WHY.get(key, 'is not for a patch to set')}"
        elif key in kept and _removes(value):
            yield f"{where} cannot be removed"


def _removes(value: Any) -> bool:
    return value is None or (isinstance(value, Mapping) and value.get(PATCH) == "delete")


def _ours(pairs: Mapping[str, Any], path: str) -> Iterator[str]:
    for key in pairs:
        if key.startswith(OURS) or key == MANAGED_BY:
            yield f"{path}: {key} is the portal's own"
        elif key in DIRECTIVES:
            yield f"{path}: {key} would drop what the portal needs there"
        elif key.startswith("container.apparmor.security.beta.kubernetes.io/"):
            yield f"{path}: {key} would weaken what the engine is confined by"


def _scheduling_problems(spec: Mapping[str, Any]) -> Iterator[str]:
    affinity = spec.get("affinity") or {}
    yield from allowed(affinity, "spec.affinity", {"nodeAffinity", "podAffinity", "podAntiAffinity"}, kept=("nodeAffinity",))
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    for key in affinity.get("nodeAffinity") or {}:
        if key != preferred:
            yield f"spec.affinity.nodeAffinity.{key} would replace the pool that the portal chose; use nodeSelector"
    if spec.get("dnsPolicy", "ClusterFirst") not in {"ClusterFirst", "None"}:
        yield "spec.dnsPolicy must be ClusterFirst or None"
    if spec.get("hostUsers") is True:
        yield "spec.hostUsers would make root in the engine root of its node"


def _container_list_problems(containers: list[Mapping[str, Any]], path: str) -> Iterator[str]:
    for each in containers:
        where = f"{path}[{each.get('name', '')}]"
        if "name" not in each:
            yield f"{path}: $patch would drop the engine"
        elif path == "spec.containers" and each["name"] == ENGINE_CONTAINER:
            yield from allowed(each, where, _ENGINE_FIELDS, kept=_ENGINE_KEPT)
            yield from _device_problems(each.get("resources") or {}, f"{where}.resources")
            yield from _container_problems(each, where)
        elif each.get(PATCH) != "delete":
            yield from allowed(each, where, _FURTHER_FIELDS, kept=("securityContext",))
            yield from _unhardened(each.get("securityContext") or {}, f"{where}.securityContext")
            yield from _container_problems(each, where)


def _container_problems(container: Mapping[str, Any], where: str) -> Iterator[str]:
    yield from security_problems(container.get("securityContext") or {}, f"{where}.securityContext")
    yield from mount_problems(container.get("volumeMounts") or [], f"{where}.volumeMounts")
    for field in ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle"):
        yield from handler_problems(container.get(field) or {}, f"{where}.{field}")


def _device_problems(resources: Mapping[str, Any], where: str) -> Iterator[str]:
    """Devices are counted and paid for by the fields of the GPU class."""
    yield from allowed(resources, where, {"limits", "requests"}, kept=("limits", "requests"))
    for field in ("limits", "requests"):
        for key in resources.get(field) or {}:
            if "/" in key or key in DIRECTIVES:
                yield f"{where}.{field}: {key} belongs to the GPU class's own fields, by which devices are counted"


def _unhardened(context: Mapping[str, Any], where: str) -> Iterator[str]:
    """A container that the portal did not make must say for itself what Pod Security asks of it."""
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{where}.allowPrivilegeEscalation must be false in a further container"
    if "ALL" not in ((context.get("capabilities") or {}).get("drop") or []):
        yield f"{where}.capabilities.drop must be [ALL] in a further container"
