"""What an operator may set for a Kubernetes cluster; everything has a default, and what is wrong is refused by its key."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from ipaddress import ip_network
from itertools import permutations
from pathlib import Path
from typing import Any

from engines.clusters.base import POOLS
from engines.clusters.kubernetes.labels import POOL

OLDEST_VERSION = (1, 29)

ACCESS_MODES = ("ReadWriteOncePod", "ReadWriteOnce", "ReadWriteMany")
POD_SECURITY = ("restricted", "baseline")
UPSTREAMS = ("dns", "cluster-ip")
LIMIT_TYPES = ("Container", "Pod", "PersistentVolumeClaim")
LIMIT_KINDS = ("default", "defaultRequest", "min", "max", "maxLimitRequestRatio")

_LABEL_PART = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_DNS_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DNS_NAME = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"
_LABEL_KEY = rf"({_DNS_NAME}/)?{_LABEL_PART}"
_RESOURCE = rf"([a-z0-9.-]{{1,253}}/)?{_LABEL_PART}([./]{_LABEL_PART})*"
_QUANTITY = r"[0-9]+(\.[0-9]+)?(m|[kMGTPE]i?)?"
_PREFIX_LENGTH = 23  # a tenant's slug has 40 characters at most, a namespace 63


@dataclass(frozen=True)
class KubernetesConfig:
    """A Kubernetes cluster's configuration, read from `Cluster.config`."""

    slug: str = "kubernetes"
    kubeconfig: str = ""  # path of a file; one of these three, or the default kubeconfig of whoever runs the portal
    kubeconfig_secret: str = ""  # name of a stored secret
    in_cluster: bool = False
    context: str = ""
    version: tuple[int, int] = OLDEST_VERSION  # fields that came later are written only where they are known to exist
    namespace_prefix: str = "aigc-t-"
    storage_class: str = ""  # empty for the cluster's default
    access_mode: str = "ReadWriteOncePod"
    service_port: int = 80
    upstream: str = "dns"  # or cluster-ip, for a portal that runs outside the cluster, on one of its nodes
    gateway_namespace: str = "aigc-system"
    gateway_cidrs: Sequence[str] = ()  # further sources that may call engines
    pod_cidrs: Sequence[str] = ()  # further ranges that engines must not reach: public addresses of Pods, Services and nodes
    dns_addresses: Sequence[str] = ()  # name servers that are no Pods of kube-system, such as a cache on each node
    run_as: int = 10001  # user of engines that name none, and the group that owns every volume
    pod_security: str = "restricted"
    priority_class: str = ""
    image_pull_secrets: Sequence[str] = ()
    max_restarts: int = 3
    quota: Mapping[str, str] = field(default_factory=dict)  # ResourceQuota `hard`: {"requests.nvidia.com/gpu": "2", "pods": "20"}
    limits: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    # LimitRange by type and bound: {"Container": {"max": {"memory": "96Gi"}}, "PersistentVolumeClaim": {"max": …}}
    request_timeout_seconds: float = 10.0
    pools: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # one of POOLS → labels of its nodes, by default POOL
    slots: Mapping[str, int] = field(default_factory=dict)  # GPU class → how many, where nodes do not say; pool/class with pools
    files_image: str = ""  # the portal's own image, which serves the files of volumes; without one they cannot be seen
    probe_image: str = "busybox:1.37"  # with sh, nc and wget, for the connection test's Pod
    kubeconfig_content: str = field(default="", repr=False)  # of the stored secret; never part of the configuration itself


def read_config(slug: str, config: Mapping[str, Any]) -> KubernetesConfig:
    """Check the configuration and fill in the defaults; ValueError with a sentence that names the key. Touches nothing."""
    _pairs("configuration", config)
    known = {each.name for each in fields(KubernetesConfig)} - {"slug", "kubeconfig_content"}
    for key in config:
        if key not in known:
            raise ValueError(f"“{key}” is not a known key; known are {', '.join(sorted(known))}")
    values = {key: _READERS[key](key, value) for key, value in config.items()}
    ways = [key for key in ("kubeconfig", "kubeconfig_secret", "in_cluster") if values.get(key)]
    if len(ways) > 1:
        raise ValueError(f"“{ways[0]}” and “{ways[1]}” exclude each other: choose one way to the cluster")
    if values.get("in_cluster") and values.get("context"):
        raise ValueError("“context” chooses from a kubeconfig, which “in_cluster” does not have")
    _require_slots_by_pool(values.get("slots", {}), values.get("pools", {}))
    return KubernetesConfig(slug=slug, **values)


def _require_slots_by_pool(slots: Mapping[str, int], pools: Mapping[str, Any]) -> None:
    for name in slots:
        pool = name.rpartition("/")[0]
        if pools and pool not in pools:
            raise ValueError(f"“slots”: “{name}” must say in which pool, such as “{next(iter(pools))}/{name.rpartition('/')[2]}”")
        if pool and not pools:
            raise ValueError(f"“slots”: “{name}” names a pool, and this cluster has no “pools”")


Reader = Callable[[str, Any], Any]


def _text(pattern: str, meaning: str) -> Reader:
    def read(key: str, value: Any) -> str:
        if not isinstance(value, str) or (value and re.fullmatch(pattern, value) is None):
            raise ValueError(f"“{key}” must be {meaning}")
        return value

    return read


def _one_of(choices: Sequence[str]) -> Reader:
    def read(key: str, value: Any) -> str:
        if value not in choices:
            raise ValueError(f"“{key}” must be one of {', '.join(choices)}")
        return str(value)

    return read


def _number(least: float, most: float, *, whole: bool = True) -> Reader:
    def read(key: str, value: Any) -> float:
        kinds = (int,) if whole else (int, float)
        if not isinstance(value, kinds) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"“{key}” must be a {'whole ' if whole else ''}number from {least:g} to {most:g}")
        return value

    return read


def _flag(key: str, value: Any) -> bool:
    if value is not True and value is not False:
        raise ValueError(f"“{key}” must be true or false")
    return bool(value)


def _path(key: str, value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or (value and not Path(value).expanduser().is_absolute()):
        raise ValueError(f"“{key}” must be the absolute path of a kubeconfig file")
    return value


def _version(key: str, value: Any) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)\.(\d+)", value) if isinstance(value, str) else None
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    if version < OLDEST_VERSION:
        oldest = "{}.{}".format(*OLDEST_VERSION)
        raise ValueError(f'“{key}” must be a version of Kubernetes in quotes, such as "{oldest}", which is the oldest supported')
    return version


def _prefix(key: str, value: Any) -> str:
    if not isinstance(value, str) or re.fullmatch(rf"[a-z0-9][a-z0-9-]{{0,{_PREFIX_LENGTH - 1}}}", value) is None:
        raise ValueError(
            f"“{key}” must be 1 to {_PREFIX_LENGTH} lower-case letters, digits and hyphens, not starting with a hyphen"
        )
    if value.startswith("kube-"):
        raise ValueError(f"“{key}” must not start with kube-, which belongs to Kubernetes itself")
    return value


def _listed(key: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"“{key}” must be a list of texts")
    return value


def _names(key: str, value: Any) -> tuple[str, ...]:
    for each in _listed(key, value):
        if re.fullmatch(_DNS_NAME, each) is None:
            raise ValueError(f"“{key}”: “{each}” is not a legal name of a Kubernetes object")
    return tuple(value)


def _cidrs(key: str, value: Any) -> tuple[str, ...]:
    return tuple(_cidr(key, each) for each in _listed(key, value))


def _cidr(key: str, value: str) -> str:
    try:
        network = ip_network(value)
    except ValueError:
        raise ValueError(
            f"“{key}”: “{value}” is neither an address nor a range such as 10.0.0.0/8, written with its first address"
        ) from None
    if network.prefixlen == 0:
        raise ValueError(f"“{key}”: “{value}” is every address there is")
    return str(network)


def _pairs(key: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"“{key}” must be pairs of names and values")
    return value


def _quantities(key: str, value: Any) -> dict[str, str]:
    for name, quantity in _pairs(key, value).items():
        if re.fullmatch(_RESOURCE, name) is None:
            raise ValueError(f"“{key}”: “{name}” is not a legal name of a resource")
        if not isinstance(quantity, str) or re.fullmatch(_QUANTITY, quantity) is None:
            raise ValueError(f'“{key}”: “{name}” must be a quantity in quotes, such as "2" or "96Gi"')
    return dict(value)


def _limits(key: str, value: Any) -> dict[str, dict[str, dict[str, str]]]:
    limits: dict[str, dict[str, dict[str, str]]] = {}
    for kind, bounds in _pairs(key, value).items():
        _known(key, kind, LIMIT_TYPES)
        limits[kind] = {}
        for bound, resources in _pairs(f"{key}.{kind}", bounds).items():
            _known(f"{key}.{kind}", bound, LIMIT_KINDS)
            limits[kind][bound] = _quantities(f"{key}.{kind}.{bound}", resources)
    return limits


def _known(key: str, name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise ValueError(f"“{key}”: “{name}” is not one of {', '.join(names)}")


def _pools(key: str, value: Any) -> dict[str, dict[str, str]]:
    """Read the labels of each pool's nodes; a node that is in two would be counted, and given away, twice."""
    for pool in _pairs(key, value):
        _known(key, pool, POOLS)
    pools = {
        pool: _labels(f"{key}.{pool}", value[pool]) if value[pool] != {} else {POOL: pool} for pool in POOLS if pool in value
    }
    for one, other in permutations(pools, 2):
        if pools[one].items() <= pools[other].items():
            raise ValueError(f"“{key}”: every node of “{other}” would be one of “{one}” too; give them labels that differ")
    return pools


def _labels(key: str, value: Any) -> dict[str, str]:
    if not _pairs(key, value):
        raise ValueError(f"“{key}” must name at least one label of its nodes")
    for name, text in value.items():
        if re.fullmatch(_LABEL_KEY, name) is None:
            raise ValueError(f"“{key}”: “{name}” is not a legal label")
        _label_text(f"{key}.{name}", text)
    return dict(value)


def _label_text(key: str, value: Any) -> str:
    if not isinstance(value, str) or re.fullmatch(_LABEL_PART, value) is None:
        raise ValueError(f"“{key}”: “{value}” is not a legal value of a label")
    return value


def _slots(key: str, value: Any) -> dict[str, int]:
    for name, number in _pairs(key, value).items():
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= 1_000_000:
            raise ValueError(f"“{key}”: “{name}” must be a whole number of slots")
    return dict(value)


_READERS: Mapping[str, Reader] = {
    "kubeconfig": _path,
    "kubeconfig_secret": _text(_DNS_NAME, "the name of a stored secret"),
    "in_cluster": _flag,
    "context": _text(r"[^\0]+", "the name of a context in the kubeconfig"),
    "version": _version,
    "namespace_prefix": _prefix,
    "storage_class": _text(_DNS_NAME, "the name of a StorageClass, or empty for the cluster's default"),
    "access_mode": _one_of(ACCESS_MODES),
    "service_port": _number(1, 65535),
    "upstream": _one_of(UPSTREAMS),
    "gateway_namespace": _text(_DNS_LABEL, "the name of a namespace"),
    "gateway_cidrs": _cidrs,
    "pod_cidrs": _cidrs,
    "dns_addresses": _cidrs,
    "run_as": _number(1, 2**31 - 1),
    "pod_security": _one_of(POD_SECURITY),
    "priority_class": _text(_DNS_NAME, "the name of a PriorityClass, or empty"),
    "image_pull_secrets": _names,
    "max_restarts": _number(0, 100),
    "quota": _quantities,
    "limits": _limits,
    "request_timeout_seconds": _number(1, 300, whole=False),
    "pools": _pools,
    "slots": _slots,
    "files_image": _text(r"[a-z0-9][a-zA-Z0-9._:/@-]*", "the name of a container image"),
    "probe_image": _text(r"[a-z0-9][a-zA-Z0-9._:/@-]*", "the name of a container image"),
}
