"""One cluster per adapter and test; whatever it runs ends with the test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines.clusters.base import Cluster
from engines.clusters.local.adapter import LocalCluster


def local(directory: Path) -> Iterator[Cluster]:
    cluster = LocalCluster.from_config("contract", {"root": str(directory), "slots": {"cpu": 2}})
    yield cluster
    cluster.shutdown(grace_seconds=0)


ADAPTERS: dict[str, Callable[[Path], Iterator[Cluster]]] = {"local": local}


@pytest.fixture(params=ADAPTERS)
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    yield from ADAPTERS[request.param](tmp_path)
