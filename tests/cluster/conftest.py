"""A real cluster, whatever $KUBECONFIG names: `make cluster`. Everything is made in one namespace, removed at the end.

$AIGC_TEST_ENGINE_IMAGE is any image with `python` on its path (python:3.12-alpine by default), $AIGC_TEST_CLUSTER_CONFIG the
configuration of the cluster row as JSON, such as {"access_mode": "ReadWriteOnce", "storage_class": "local-path"}. Addresses of
Services are dialled, so the tests belong on a node of the cluster.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engines.clusters.base import GpuSpec, Mount, WorkloadSpec
from engines.clusters.kubernetes import paths
from engines.clusters.kubernetes.adapter import KubernetesCluster
from engines.clusters.names import new_slug
from tests import waiting
from tests.contract import workloads
from tests.waiting import wait_until

SOURCE = (Path(__file__).parent.parent / "contract" / "engine_double.py").read_text()
IMAGE = os.environ.get("AIGC_TEST_ENGINE_IMAGE", "python:3.12-alpine")
HOST = os.environ.get("AIGC_TEST_ENGINE_HOST", "0.0.0.0")
COMMAND = ("python", "-c", SOURCE, "--host", HOST, "--port", "8188", "--data", "/data")
PATIENCE_SECONDS = 180
CONFIG: dict[str, Any] = json.loads(os.environ.get("AIGC_TEST_CLUSTER_CONFIG", "{}"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            if "open_files" in item.name and "files_image" not in CONFIG:
                item.add_marker(pytest.mark.skip(reason="$AIGC_TEST_CLUSTER_CONFIG has no files_image"))


@pytest.fixture(scope="session")
def cluster() -> KubernetesCluster:
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("NOT TESTED ON A CLUSTER: $KUBECONFIG names none")
    defaults = {"kubeconfig": str(Path(os.environ["KUBECONFIG"]).resolve()), "upstream": "cluster-ip", "max_restarts": 0}
    return KubernetesCluster.from_config("cluster-tests", defaults | CONFIG)


@pytest.fixture(scope="session")
def tenant(cluster: KubernetesCluster) -> Iterator[str]:
    """A team whose namespace goes with the tests."""
    slug = f"test-{new_slug()}"
    yield slug
    cluster.rest.delete(paths.member("namespaces", "", f"aigc-t-{slug}"))


@pytest.fixture
def make_spec(cluster: KubernetesCluster, tenant: str) -> Iterator[Callable[..., WorkloadSpec]]:
    """Specs of the engine double on volumes of their own; deleted with the test."""
    made: list[WorkloadSpec] = []

    def make(*flags: str, **fields: Any) -> WorkloadSpec:
        slug = new_slug()
        spec = WorkloadSpec(
            name=f"i-{slug}",
            namespace=f"aigc-t-{tenant}",
            instance_id=f"00000000-0000-4000-8000-{len(made):012}",
            tenant=tenant,
            epoch=1,
            volume=f"v-{slug}",
            image=IMAGE,
            command=COMMAND,
            args=flags,
            port=8188,
            health_path="/healthz",
            data_mounts=(Mount("/data"),),
            stop_grace_seconds=5,
            **fields,
        )
        cluster.ensure_volume(spec.volume_ref, tenant=tenant, size_gib=1)
        made.append(spec)
        return spec

    yield make
    for spec in made:
        cluster.delete(spec.ref, epoch=1000, grace_seconds=1)


@pytest.fixture
def contract(cluster: KubernetesCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesCluster]:
    """The cluster as the contract tests expect one: with nothing of ours on it, and with their specs as Pods that it can run."""
    small = GpuSpec("cpu", cpu_millis=100, ram_mib=128)
    in_a_pod = {"image": IMAGE, "command": COMMAND, "gpu": small, "stop_grace_seconds": 30}
    monkeypatch.setattr(workloads, "IN_A_POD", in_a_pod)
    monkeypatch.setattr(waiting, "DEADLINE_SECONDS", PATIENCE_SECONDS)
    clear(cluster)
    yield cluster
    clear(cluster)


def clear(cluster: KubernetesCluster) -> None:
    """End what the contract tests left in their namespace, and wait until it is gone."""
    kept = cluster.rest.find(paths.member("namespaces", "", workloads.NAMESPACE))
    if kept is None:
        return
    for kind in ("statefulsets", "services", "persistentvolumeclaims"):
        for each in cluster.rest.items(paths.collection(kind, workloads.NAMESPACE)):
            cluster.rest.delete(paths.member(kind, workloads.NAMESPACE, each["metadata"]["name"]))
    for pod in cluster.rest.items(paths.collection("pods", workloads.NAMESPACE)):
        cluster.rest.delete(paths.member("pods", workloads.NAMESPACE, pod["metadata"]["name"]), grace_seconds=1)
    wait_until(lambda: not list(cluster.rest.items(paths.collection("pods", workloads.NAMESPACE))), seconds=PATIENCE_SECONDS)
