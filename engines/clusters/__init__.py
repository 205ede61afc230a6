"""Where engines run. `get_cluster` is the only way to an adapter."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

from engines.clusters.base import Cluster, ClusterUnavailable


class ClusterRow(Protocol):
    """What of a cluster's row an adapter needs."""

    slug: str
    kind: str
    config: Mapping[str, object]


def get_cluster(row: ClusterRow) -> Cluster:
    """Return the adapter for a cluster row; one per process and configuration."""
    return _adapter(row.kind, row.slug, json.dumps(row.config, sort_keys=True))


def config_problem(kind: str, slug: str, config: Mapping[str, object]) -> str:
    """Say what keeps this configuration from making a cluster of the kind; empty if nothing does. Touches nothing."""
    if kind != "local":
        return f"this release has no adapter for {kind} clusters yet"
    from engines.clusters.local.config import read_config  # noqa: PLC0415 - as below

    try:
        read_config(slug, config)
    except (ValueError, TypeError, AttributeError) as error:
        return str(error)
    return ""


@lru_cache(maxsize=64)
def _adapter(kind: str, slug: str, config: str) -> Cluster:
    if kind == "local":
        from engines.clusters.local.adapter import LocalCluster  # noqa: PLC0415 - an adapter is loaded only where it is used

        return LocalCluster.from_config(slug, json.loads(config))
    raise ClusterUnavailable(config_problem(kind, slug, json.loads(config)))
