"""Where engines run. `get_cluster` is the only way to an adapter."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

from aigc_portal.sealing import Unreadable
from engines.clusters.base import POOLS, Cluster, ClusterUnavailable
from engines.clusters.names import namespace_name


class ClusterRow(Protocol):
    """What of a cluster's row an adapter needs."""

    slug: str
    kind: str
    config: Mapping[str, object]
    credentials_changed_at: datetime | None

    def credential(self, name: str) -> str:
        """Return a stored secret; KeyError if there is none of this name."""


@dataclass(frozen=True)
class _Credentials:
    """How to read the row's secrets when an adapter is made; alike for the cache, since `changed_at` tells them apart."""

    changed_at: datetime | None
    read: Callable[[str], str] = field(compare=False, repr=False)


def get_cluster(row: ClusterRow) -> Cluster:
    """Return the adapter for a cluster row; one per process, configuration and state of its stored secrets.

    ClusterUnavailable if a secret that the configuration names cannot be had.
    """
    return _adapter(
        row.kind, row.slug, json.dumps(row.config, sort_keys=True), _Credentials(row.credentials_changed_at, row.credential)
    )


def namespace_of(row: ClusterRow, tenant_slug: str) -> str:
    """Return where the objects of a tenant's new volumes and their workloads go; empty where a cluster has no such thing."""
    return "" if row.kind == "local" else namespace_name(str(row.config.get("namespace_prefix", "aigc-t-")), tenant_slug)


def pools_of(row: ClusterRow) -> tuple[str, ...]:
    """Return what the cluster's nodes are divided into, in the order in which launches go there; ("",) where they are not."""
    pools = row.config.get("pools") or ()
    return tuple(pool for pool in POOLS if pool in pools) or ("",)  # type: ignore[operator]


def config_problem(kind: str, slug: str, config: Mapping[str, object]) -> str:
    """Say what keeps this configuration from making a cluster of the kind; empty if nothing does. Touches nothing."""
    try:
        _reader(kind)(slug, config)
    except (ValueError, TypeError, AttributeError) as error:
        return str(error)
    return ""


def _reader(kind: str) -> Callable[[str, Mapping[str, object]], object]:
    if kind == "local":
        from engines.clusters.local.config import read_config as read_local  # noqa: PLC0415 - as below

        return read_local
    if kind == "kubernetes":
        from engines.clusters.kubernetes.config import read_config  # noqa: PLC0415 - as below

        return read_config
    raise ValueError(f"there is no kind of cluster called {kind}")


@lru_cache(maxsize=64)
def _adapter(kind: str, slug: str, config: str, credentials: _Credentials) -> Cluster:
    values: dict[str, Any] = json.loads(config)
    if kind == "local":
        from engines.clusters.local.adapter import LocalCluster  # noqa: PLC0415 - an adapter is loaded only where it is used

        return LocalCluster.from_config(slug, values)
    if kind == "kubernetes":
        return _kubernetes(slug, values, kubeconfig=_kubeconfig(values, credentials))
    raise ClusterUnavailable(config_problem(kind, slug, values))


def _kubernetes(slug: str, config: Mapping[str, Any], *, kubeconfig: str) -> Cluster:
    """Make the adapter; `kubeconfig` is the content of the stored secret, if the configuration names one."""
    from engines.clusters.kubernetes.adapter import KubernetesCluster  # noqa: PLC0415 - as above

    return KubernetesCluster.from_config(slug, config, kubeconfig=kubeconfig)


def _kubeconfig(config: Mapping[str, Any], credentials: _Credentials) -> str:
    name = config.get("kubeconfig_secret")
    if not name:
        return ""
    try:
        return credentials.read(name)
    except KeyError:
        raise ClusterUnavailable(f"the cluster has no stored secret “{name}”") from None
    except Unreadable as error:
        raise ClusterUnavailable(str(error)) from None
