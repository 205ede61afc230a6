"""One cluster per adapter and test; whatever it runs ends with the test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines.clusters.base import Cluster
from engines.clusters.kubernetes.adapter import KubernetesCluster
from engines.clusters.local.adapter import LocalCluster
from tests.kubernetes.double import KubernetesDouble


def local(directory: Path) -> Iterator[Cluster]:
    cluster = LocalCluster.from_config("contract", {"root": str(directory), "slots": {"cpu": 2}})
    yield cluster
    cluster.shutdown(grace_seconds=0)


def kubernetes(directory: Path) -> Iterator[Cluster]:
    with KubernetesDouble(speed=20, images={"^portal$": "double/process"}) as double:
        config = {"kubeconfig": str(double.kubeconfig(directory / "kubeconfig")), "upstream": "cluster-ip", "max_restarts": 0}
        config["files_image"] = "portal"
        yield KubernetesCluster.from_config("contract", config)


ADAPTERS: dict[str, Callable[[Path], Iterator[Cluster]]] = {"local": local, "kubernetes": kubernetes}


@pytest.fixture(params=ADAPTERS)
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    yield from ADAPTERS[request.param](tmp_path)
