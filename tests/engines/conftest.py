"""Fixtures for tests of the local cluster."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engines.clusters.base import VolumeRef
from engines.clusters.local.adapter import LocalCluster


@pytest.fixture
def local_config(tmp_path: Path, settings: Any) -> dict[str, Any]:
    """The configuration of a cluster with the ports of this test process."""
    ports = settings.LOCAL_PORTS
    root = str(tmp_path / "cluster")
    return {"root": root, "ports": [ports[0], ports[-1]], "slots": {"cpu": 2}, "port_quarantine_seconds": 0}


@pytest.fixture
def local_cluster(local_config: dict[str, Any]) -> Iterator[LocalCluster]:
    """A local cluster without a row; whatever it runs ends with the test."""
    cluster = LocalCluster.from_config("test", local_config)
    cluster.ensure_volume(VolumeRef("v-one"), tenant="acme", size_gib=1)
    yield cluster
    cluster.shutdown(grace_seconds=0)
