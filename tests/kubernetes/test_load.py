"""How much a Pod does, where the cluster measures it, and what becomes of the question where it does not."""

from collections.abc import Iterator

import pytest

from engines.clusters.base import ClusterUnavailable, Load, WorkloadRef
from engines.clusters.kubernetes.adapter import KubernetesCluster
from engines.clusters.kubernetes.load import load_of
from tests.kubernetes.double import KubernetesDouble
from tests.kubernetes.test_rbac import PORTAL, as_rules

METRICS = "/apis/metrics.k8s.io/v1beta1/namespaces/aigc-t-acme/pods/i-b-0"
WORKLOAD = WorkloadRef("i-b", "aigc-t-acme")


@pytest.mark.parametrize(
    ("cpu", "expected"),
    [
        (["12m"], Load(0.012)),
        (["1500m", "250000000n"], Load(1.75)),
        (["0"], Load(0.0)),
        (["2"], Load(2.0)),
        ([], None),
    ],
)
def test_cores_of_all_containers_are_summed(cpu, expected):
    containers = [{"name": f"c{number}", "usage": {"cpu": each, "memory": "1Gi"}} for number, each in enumerate(cpu)]
    assert load_of({"kind": "PodMetrics", "containers": containers}) == expected


def test_a_container_without_usage_counts_as_none():
    assert load_of({"containers": [{"name": "a"}, {"name": "b", "usage": {"cpu": "1m"}}]}) == Load(0.001)


def adapter_of(double: KubernetesDouble, tmp_path) -> KubernetesCluster:
    return KubernetesCluster.from_config("test", {"kubeconfig": str(double.kubeconfig(tmp_path / "kubeconfig"))})


@pytest.fixture
def double() -> Iterator[KubernetesDouble]:
    with KubernetesDouble(speed=20) as double:
        yield double


def test_where_nothing_is_measured_nothing_is_said(double, tmp_path):
    assert adapter_of(double, tmp_path).load(WORKLOAD) is None
    assert [(call.method, call.path, call.status) for call in double.calls_since(0)] == [("GET", METRICS, 404)]


def test_an_older_installation_without_the_right_says_nothing(tmp_path):
    rules = as_rules(set(PORTAL) - {("metrics.k8s.io", "pods", "get")})
    with KubernetesDouble(rbac=rules, speed=20) as double:
        assert adapter_of(double, tmp_path).load(WORKLOAD) is None
        assert [call.status for call in double.calls_since(0)] == [403]


def test_a_metrics_server_that_is_away_may_come_back(double, tmp_path):
    double.faults.add(verb="get", path=METRICS, status=503)
    with pytest.raises(ClusterUnavailable):
        adapter_of(double, tmp_path).load(WORKLOAD)
