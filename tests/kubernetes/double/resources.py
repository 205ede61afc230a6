"""Which kinds this API server knows, and where each has its path."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True, eq=False, slots=True)
class Resource:
    """One kind; compared by identity, so that it is a cheap key."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    subresources: tuple[str, ...] = ()
    counts_generations: bool = False
    short: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """As messages name it: `pods`, `statefulsets.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


VERSION = {
    "major": "1", "minor": "36", "gitVersion": "v1.36.2", "gitCommit": "0" * 40, "gitTreeState": "clean",
    "buildDate": "2026-06-09T00:00:00Z", "goVersion": "go1.26", "compiler": "gc", "platform": "linux/amd64",
}  # fmt: skip
RBAC = "rbac.authorization.k8s.io"
DRA = "resource.k8s.io"

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", False, ("status", "finalize"), short=("ns",))
# Before the Pods themselves, which are meant by "pods" alone.
POD_METRICS = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics")
PODS = Resource("", "v1", "pods", "Pod", True, ("status", "log", "eviction"), True, ("po",))
SERVICES = Resource("", "v1", "services", "Service", True, ("status",), short=("svc",))
ENDPOINTS = Resource("", "v1", "endpoints", "Endpoints", short=("ep",))
CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", True, ("status",), short=("pvc",))
VOLUMES = Resource("", "v1", "persistentvolumes", "PersistentVolume", False, ("status",), short=("pv",))
EVENTS = Resource("", "v1", "events", "Event", short=("ev",))
NODES = Resource("", "v1", "nodes", "Node", False, ("status",), short=("no",))
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", short=("cm",))
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount", short=("sa",))
QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota", True, ("status",), short=("quota",))
LIMIT_RANGES = Resource("", "v1", "limitranges", "LimitRange", short=("limits",))
STATEFUL_SETS = Resource("apps", "v1", "statefulsets", "StatefulSet", True, ("status", "scale"), True, ("sts",))
POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", counts_generations=True, short=("netpol",))
BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", True, ("status",), True, ("pdb",))
PRIORITIES = Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", False, (), True, ("pc",))
STORAGE_CLASSES = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", False, short=("sc",))
SLICES = Resource(DRA, "v1", "resourceslices", "ResourceSlice", False, (), True)
DEVICE_CLAIMS = Resource(DRA, "v1", "resourceclaims", "ResourceClaim", True, ("status",))
DEVICE_TEMPLATES = Resource(DRA, "v1", "resourceclaimtemplates", "ResourceClaimTemplate")
DEVICE_CLASSES = Resource(DRA, "v1", "deviceclasses", "DeviceClass", False, (), True)
JOBS = Resource("batch", "v1", "jobs", "Job", True, ("status",), True)
GAME_SERVER_SETS = Resource(
    "game.kruise.io", "v1alpha1", "gameserversets", "GameServerSet", True, ("status", "scale"), True, ("gss",)
)
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
ROLES = Resource(RBAC, "v1", "roles", "Role")
ROLE_BINDINGS = Resource(RBAC, "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLES = Resource(RBAC, "v1", "clusterroles", "ClusterRole", False)
CLUSTER_ROLE_BINDINGS = Resource(RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", False)
ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False)

RESOURCES = tuple(each for each in list(globals().values()) if isinstance(each, Resource))
BY_PATH = {(each.group, each.version, each.plural): each for each in RESOURCES}
BY_KIND = {(each.api_version, each.kind): each for each in RESOURCES}
BY_PLURAL = {each.plural: each for each in RESOURCES}


def resource_of(document: Document) -> Resource:
    """Tell the kind of a whole manifest; KeyError for one that is not served."""
    return BY_KIND[document["apiVersion"], document["kind"]]


def discovery(path: str, without: Collection[str] = ()) -> Document | None:
    """Answer /version, /api, /apis and the list of one group version, or None for another path or a group of `without`."""
    served = groups() - set(without)
    if path == "/version":
        return VERSION
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group_entry(group) for group in sorted(served)]}
    head, _, rest = path.lstrip("/").partition("/")
    if head == "apis" and rest in served:
        return {"kind": "APIGroup", "apiVersion": "v1", **group_entry(rest)}
    members = [each for each in RESOURCES if head in ("api", "apis") and each.api_version == rest and each.group not in without]
    return resource_list(rest, members) if members else None


def groups() -> set[str]:
    return {each.group for each in RESOURCES if each.group}


def group_entry(group: str) -> Document:
    version = next(each.version for each in RESOURCES if each.group == group)
    entry = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [entry], "preferredVersion": entry}


def resource_list(group_version: str, members: list[Resource]) -> Document:
    entries = []
    for each in members:
        verbs = ["create"] if each is ACCESS_REVIEWS else ["create", "delete", "get", "list", "patch", "update", "watch"]
        shared = {"namespaced": each.namespaced, "kind": each.kind}
        entries.append(
            {"name": each.plural, "singularName": each.kind.lower(), "verbs": verbs, "shortNames": list(each.short), **shared}
        )
        entries += [{"name": f"{each.plural}/{sub}", "singularName": "", "verbs": ["get"], **shared} for sub in each.subresources]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": entries}
