"""A double for each test, with adapters on it, and specs of engines that cost nothing."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from engines.clusters.base import Mount, WorkloadSpec
from engines.clusters.kubernetes.adapter import KubernetesCluster
from engines.clusters.names import new_slug
from tests.kubernetes.double import KubernetesDouble
from tests.kubernetes.scenes import Client, namespace

NAMESPACE = "aigc-t-acme"


@pytest.fixture
def double() -> Iterator[KubernetesDouble]:
    """One node with four GPUs; everything waits a twentieth of its time."""
    with KubernetesDouble(speed=20) as double:
        double.load([namespace()])
        yield double


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """Make clients, and close them when the test is over."""
    with ExitStack() as stack:

        def make(double: KubernetesDouble, *, admin: bool = False) -> Client:
            client = Client(double, admin=admin)
            stack.callback(client.http.close)
            return client

        yield make


@pytest.fixture
def client(double: KubernetesDouble, connect: Callable[..., Client]) -> Client:
    """The portal's user."""
    return connect(double)


@pytest.fixture
def make_adapter(double: KubernetesDouble, tmp_path: Path) -> Callable[..., KubernetesCluster]:
    """Adapters of one cluster, as processes of their own would have them: nothing is shared but the cluster."""
    numbers = count(1)

    def make(**config: Any) -> KubernetesCluster:
        kubeconfig = double.kubeconfig(tmp_path / f"kubeconfig-{next(numbers)}")
        return KubernetesCluster.from_config("test", {"kubeconfig": str(kubeconfig), "upstream": "cluster-ip"} | config)

    return make


@pytest.fixture
def adapter(make_adapter: Callable[..., KubernetesCluster]) -> KubernetesCluster:
    return make_adapter()


@pytest.fixture
def make_spec() -> Callable[..., WorkloadSpec]:
    def make(image: str = "double/sleep", **fields: Any) -> WorkloadSpec:
        slug = new_slug()
        defaults: dict[str, Any] = {
            "name": f"i-{slug}",
            "namespace": NAMESPACE,
            "instance_id": "00000000-0000-4000-8000-000000000001",
            "tenant": "acme",
            "epoch": 1,
            "volume": f"v-{slug}",
            "image": image,
            "port": 8188,
            "health_path": "/healthz",
            "data_mounts": (Mount("/data"),),
        }
        return WorkloadSpec(**defaults | fields)

    return make
