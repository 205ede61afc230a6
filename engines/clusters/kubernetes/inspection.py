"""What a portal needs of a Kubernetes cluster, tried one by one: version, permissions, storage, GPUs, policies.

Nothing that lasts is changed. What could not be tried is reported as such, never as good.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from engines.clusters.base import Finding
from engines.clusters.kubernetes import network_probe, paths
from engines.clusters.kubernetes.config import OLDEST_VERSION, KubernetesConfig
from engines.clusters.kubernetes.discovery import propose
from engines.clusters.kubernetes.labels import MANAGED_BY, MANAGER
from engines.clusters.kubernetes.nodes import allocatable, annotations_of, is_open, is_selected, name_of
from engines.clusters.kubernetes.rest import ApiError, Json, Rest
from engines.clusters.kubernetes.server_version import USER_NAMESPACES_SINCE, ServerVersion, dotted, read_version
from engines.clusters.sentences import Words, enumerated, unknown

_STORAGE_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_AT_ONCE = 8
_DRA, _NETWORK, _POLICY, _STORAGE = "resource.k8s.io", "networking.k8s.io", "policy", "storage.k8s.io"


class Permission(NamedTuple):
    """One kind of call; `namespaced` if it is made within a tenant's namespace, else it is about the whole cluster."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    namespaced: bool = True

    @property
    def words(self) -> Words:
        """Read as in a role, e.g. `get pods/log`."""
        about = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        call = f"{self.verb} {about}{f'.{self.group}' if self.group else ''}"
        return call if self.namespaced else format_lazy(_("{call} in the whole cluster"), call=call)


def _each(group: str, resource: str, verbs: str, *, subresource: str = "", namespaced: bool = True) -> Iterator[Permission]:
    for verb in verbs.split():
        yield Permission(verb, group, resource, subresource, namespaced)


# Server-side apply is a patch, and a creation where there is nothing yet.
PERMISSIONS: tuple[Permission, ...] = (
    *_each("", "namespaces", "get list create patch", namespaced=False),
    *_each("", "nodes", "list watch", namespaced=False),
    *_each("", "pods", "list watch", namespaced=False),
    *_each("", "pods", "get list create delete"),
    *_each("", "pods", "get", subresource="log"),
    *_each("", "events", "list watch", namespaced=False),
    *_each("", "events", "list"),
    *_each("", "persistentvolumeclaims", "list watch", namespaced=False),
    *_each("", "persistentvolumeclaims", "get create patch delete"),
    *_each("", "persistentvolumes", "get", namespaced=False),
    *_each("", "services", "list create patch delete"),
    *_each("", "serviceaccounts", "create patch"),
    *_each("", "resourcequotas", "create patch"),
    *_each("", "limitranges", "create patch"),
    *_each("apps", "statefulsets", "list watch", namespaced=False),
    *_each("apps", "statefulsets", "get create patch delete"),
    *_each(_NETWORK, "networkpolicies", "create patch"),
    *_each(_POLICY, "poddisruptionbudgets", "create patch"),
    *_each(_STORAGE, "storageclasses", "list", namespaced=False),
    *_each(_DRA, "resourceclaimtemplates", "list create patch delete"),
    *_each(_DRA, "resourceclaims", "list", namespaced=False),
    *_each(_DRA, "resourceslices", "list", namespaced=False),
    *_each(_DRA, "deviceclasses", "list", namespaced=False),
)
"""Every call that the adapter makes."""


def inspect(rest: Rest, config: KubernetesConfig, *, probe_seconds: float = 25.0) -> list[Finding]:
    """Try everything; ClusterUnavailable if the API server cannot be reached. Takes `probe_seconds` and a few calls at most."""
    namespace = ""
    version = read_version(rest)
    findings = [_version(version, config)]
    if findings[0].ok is False:
        return findings
    findings.append(_root_images(version))
    try:
        namespace = _tenant_namespace(rest)
    except ApiError as error:
        findings.append(Finding("tenant namespaces", None, format_lazy(_("cannot be listed: {error}"), error=error)))
    checks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("permissions", lambda: _permissions(rest, config, namespace)),
        ("storage", lambda: _storage(rest, config)),
        ("GPUs", lambda: _gpus(rest)),
        *([("pools", lambda: _pools(rest, config))] if config.pools else ()),
        ("Pod Security", lambda: _pod_security(rest, namespace)),
        ("network policies", lambda: network_probe.probe(rest, config, namespace, seconds=probe_seconds)),
    )
    return findings + [_tried(subject, check) for subject, check in checks]


def _tried(subject: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except ApiError as error:
        return Finding(subject, None, unknown(error))


def _version(version: ServerVersion, config: KubernetesConfig) -> Finding:
    """Compare the server's version with the oldest supported, and with that for which documents are written."""
    if version.numbers < OLDEST_VERSION:
        return Finding(
            "version",
            False,
            format_lazy(
                _("{version} is older than {oldest}, the oldest supported"), version=version.name, oldest=dotted(OLDEST_VERSION)
            ),
        )
    if version.numbers < config.version:
        return Finding(
            "version",
            False,
            format_lazy(
                _("{version} is older than the configuration's “version” {wanted}"),
                version=version.name,
                wanted=dotted(config.version),
            ),
        )
    return Finding("version", True, version.name)


def _root_images(version: ServerVersion) -> Finding:
    """Say whether images that insist on root can run: no fault of a cluster, but people will ask."""
    if version.has_user_namespaces:
        return Finding("root images", True, _("run in user namespaces, on nodes whose container runtime and kernel have them"))
    sentence = _("are refused: {version} drops hostUsers, which makes root harmless since {since}")
    return Finding("root images", None, format_lazy(sentence, version=version.name, since=dotted(USER_NAMESPACES_SINCE)))


def _tenant_namespace(rest: Rest) -> str:
    """Return a namespace that has been prepared for some tenant; empty if there is none yet."""
    ours = rest.items(paths.collection("namespaces"), labelSelector=f"{MANAGED_BY}={MANAGER}")
    return next((name_of(each) for each in ours if "deletionTimestamp" not in each["metadata"]), "")


def _permissions(rest: Rest, config: KubernetesConfig, namespace: str) -> Finding:
    """Ask for each call; namespaced ones in a tenant's namespace, which need not exist."""
    where = namespace or f"{config.namespace_prefix}any"
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        allowed = list(pool.map(lambda each: _is_allowed(rest, each, where), PERMISSIONS))
    missing = [each.words for each, may in zip(PERMISSIONS, allowed, strict=True) if not may]
    if missing:
        return Finding("permissions", False, format_lazy(_("missing: {missing}"), missing=enumerated(missing)))
    return Finding("permissions", True, format_lazy(_("all {count} that are needed"), count=len(PERMISSIONS)))


def _is_allowed(rest: Rest, permission: Permission, namespace: str) -> bool:
    wanted = {
        "verb": permission.verb,
        "group": permission.group,
        "resource": permission.resource,
        "subresource": permission.subresource,
        "namespace": namespace if permission.namespaced else "",
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in wanted.items() if value}},
    }
    return bool((rest.create(_REVIEWS, review).get("status") or {}).get("allowed"))


def _storage(rest: Rest, config: KubernetesConfig) -> Finding:
    """Say which class volumes would have, and when it binds them."""
    classes = {name_of(each): each for each in rest.items(_STORAGE_CLASSES)}
    there = ", ".join(sorted(classes)) or _("none")
    if config.storage_class:
        chosen = classes.get(config.storage_class)
        if chosen is None:
            return Finding(
                "storage",
                False,
                format_lazy(_("there is no class {wanted}; there are: {there}"), wanted=config.storage_class, there=there),
            )
        return Finding("storage", True, _told(chosen))
    default = next((each for each in classes.values() if annotations_of(each).get(_DEFAULT) == "true"), None)
    if default is None:
        sentence = _("no class is the default and “storage_class” is not set; there are: {there}")
        return Finding("storage", False, format_lazy(sentence, there=there))
    return Finding("storage", True, format_lazy(_("{told}, the default"), told=_told(default)))


def _told(storage_class: Json) -> Words:
    mode = storage_class.get("volumeBindingMode", "Immediate")
    return format_lazy(_("{name}, binds {mode}"), name=name_of(storage_class), mode=mode)


def _gpus(rest: Rest) -> Finding:
    """Count what nodes advertise, nodes that take Pods alone."""
    nodes = list(rest.items(paths.collection("nodes")))
    ready = [each for each in nodes if is_open(each)]
    resources = {str(each.entry.get("resource", "")) for each in propose(ready)} - {""}
    found: Counter[str] = Counter()
    for node in ready:
        found.update({name: int(amount) for name, amount in allocatable(node).items() if name in resources and amount > 0})
    counts = {"ready": len(ready), "all": len(nodes)}
    if not ready:
        return Finding("GPUs", False, format_lazy(_("none of {all} nodes takes Pods"), **counts))
    if not found:
        return Finding("GPUs", None, format_lazy(_("no node advertises any, on {ready} of {all} nodes that take Pods"), **counts))
    gpus = ", ".join(f"{count} × {name}" for name, count in sorted(found.items()))
    return Finding("GPUs", True, format_lazy(_("{gpus} on {ready} of {all} nodes that take Pods"), gpus=gpus, **counts))


def _pools(rest: Rest, config: KubernetesConfig) -> Finding:
    """Count the nodes of each pool, and those of none: engines never run there. An autoscaler may have a pool without nodes."""
    nodes = list(rest.items(paths.collection("nodes")))
    counts = {pool: sum(is_selected(node, labels) for node in nodes) for pool, labels in config.pools.items()}
    told = [format_lazy(_("{pool}: {count} nodes"), pool=pool, count=count) for pool, count in counts.items()]
    outside = format_lazy(_("in none: {count}"), count=len(nodes) - sum(counts.values()))
    return Finding("pools", True if all(counts.values()) else None, enumerated([*told, outside]))


def _pod_security(rest: Rest, namespace: str) -> Finding:
    """Try a Pod that must be refused, without making it."""
    if not namespace:
        return Finding("Pod Security", None, unknown(_("no tenant has a namespace here yet")))
    container = {"name": "probe", "image": "none", "securityContext": {"privileged": True}}
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "aigc-portal-privileged", "namespace": namespace},
        "spec": {"hostNetwork": True, "hostPID": True, "containers": [container]},
    }
    try:
        rest.create(paths.collection("pods", namespace), pod, dryRun="All")
    except ApiError as error:
        if "PodSecurity" in error.message:
            return Finding(
                "Pod Security", True, format_lazy(_("a privileged Pod is refused in {namespace}"), namespace=namespace)
            )
        return Finding("Pod Security", None, unknown(error))
    sentence = _("a privileged Pod would be accepted in {namespace}")
    return Finding("Pod Security", False, format_lazy(sentence, namespace=namespace))
