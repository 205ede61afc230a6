"""Whole cards are not shared: where a class is counted is where the scheduler may put it, and the other way round."""

from dataclasses import replace

import pytest

from engines.clusters.base import GpuSpec, Phase, WorkloadSpec
from engines.clusters.kubernetes import manifests
from engines.clusters.kubernetes.adapter import KubernetesCluster
from engines.clusters.kubernetes.capacity import count_slots
from engines.clusters.kubernetes.config import read_config
from engines.reasons import Reason
from tests.contract.workloads import wait_for, wait_phase
from tests.kubernetes.documents import NVIDIA_TOLERATION, node, nvidia_node
from tests.kubernetes.double import KubernetesDouble
from tests.kubernetes.double import node as machine
from tests.kubernetes.double.scheduler import unmatched
from tests.kubernetes.scenes import namespace
from tests.kubernetes.test_capacity import BY_COMMAS, hami_node

PRODUCT = "nvidia.com/gpu.product"
STRATEGY = "nvidia.com/gpu.sharing-strategy"
CARD = "NVIDIA-L40S"
WHOLE = GpuSpec(
    "whole", vendor="nvidia", resource="nvidia.com/gpu", count=1, cpu_millis=500, ram_mib=256,
    node_selector={PRODUCT: CARD}, tolerations=(NVIDIA_TOLERATION,),
)  # fmt: skip
BY_TURNS = replace(WHOLE, gpu_class="by-turns", sharing="time-slicing")


def labelled(strategy: str) -> dict:
    return nvidia_node(product=CARD, labels={STRATEGY: strategy})


NODES = {
    "not labelled": node(labels={PRODUCT: CARD}, allocatable={"nvidia.com/gpu": "4"}),
    "none": labelled("none"),
    "time-slicing": labelled("time-slicing"),
    "mps": labelled("mps"),
}


def placed(spec: GpuSpec, on: dict) -> bool:
    """Whether the labels of a node suit the Pod of the class."""
    workload = WorkloadSpec("i-a", "", "acme", 1, "v-a", namespace="aigc-t-acme", image="engine:1", gpu=spec)
    template = manifests.statefulset(read_config("test", {}), workload, replicas=1, epoch=1, stopped=0)["spec"]["template"]
    return not unmatched(template, on)


def counted(spec: GpuSpec, on: dict) -> int:
    return count_slots([on], [], [spec])[0].total


@pytest.mark.parametrize("strategy", NODES)
@pytest.mark.parametrize("sharing", ["exclusive", "mig"])
def test_a_class_that_promises_whole_devices_keeps_off_nodes_that_share_them(strategy, sharing):
    spec, on = replace(WHOLE, sharing=sharing), NODES[strategy]
    if sharing == "mig":  # slices of the strategy `single` bear the card's own name
        spec = replace(spec, node_selector={PRODUCT: f"{CARD}-MIG-1g.5gb"})
        on = on | {"metadata": on["metadata"] | {"labels": on["metadata"]["labels"] | spec.node_selector}}
    assert placed(spec, on) is bool(counted(spec, on)) is (strategy in {"not labelled", "none"})


@pytest.mark.parametrize(("sharing", "strategy"), [("time-slicing", "time-slicing"), ("mps", "mps")])
def test_a_class_that_shares_lands_where_it_is_shared(sharing, strategy):
    spec = replace(WHOLE, sharing=sharing)
    assert placed(spec, NODES[strategy])
    assert counted(spec, NODES[strategy]) == 4


def test_a_class_cut_by_hami_is_left_to_hami():
    spec = replace(WHOLE, sharing="hami", node_selector={}, extra_limits={"nvidia.com/gpumem": "16000"})
    on = hami_node(BY_COMMAS)
    assert placed(spec, on)
    assert counted(spec, on) > 0


def test_a_whole_class_on_a_node_of_hami_that_also_shares_is_neither_counted_nor_placed():
    on = hami_node(BY_COMMAS)
    on["metadata"]["labels"][STRATEGY] = "mps"
    spec = replace(WHOLE, node_selector={})
    assert (placed(spec, on), counted(spec, on)) == (False, 0)


def test_other_resources_and_processors_have_no_such_condition():
    for spec in (GpuSpec("amd", vendor="amd", resource="amd.com/gpu", count=1), GpuSpec("cpu")):
        assert placed(spec, node(labels={STRATEGY: "time-slicing"}))


def test_of_two_nodes_of_one_product_the_scheduler_takes_the_whole_one(make_spec, tmp_path):
    shared = machine("shared", {"nvidia.com/gpu": 8}, {PRODUCT: CARD, STRATEGY: "time-slicing"}, 2)
    whole = machine("whole", {"nvidia.com/gpu": 1}, {PRODUCT: CARD, STRATEGY: "none"}, 3)
    with KubernetesDouble(speed=20, nodes=[shared, whole]) as double:
        double.load([namespace()])
        config = {"kubeconfig": str(double.kubeconfig(tmp_path / "kubeconfig")), "upstream": "cluster-ip"}
        adapter = KubernetesCluster.from_config("test", config)
        assert {each.gpu_class: each.total for each in adapter.capacity([WHOLE, BY_TURNS])} == {"whole": 1, "by-turns": 8}
        first, second = make_spec(gpu=WHOLE), make_spec(gpu=WHOLE)
        for spec in (first, second):
            adapter.ensure_volume(spec.volume_ref, tenant="acme", size_gib=1)
            adapter.apply(spec)
            wait_for(lambda spec=spec: adapter.observe(spec.ref).phase != Phase.GONE)
            if spec is first:
                wait_phase(adapter, spec.ref, Phase.READY)
        assert double.get("pods", first.namespace, f"{first.name}-0")["spec"]["nodeName"] == "whole"
        seen = wait_for(lambda: (found := adapter.observe(second.ref)).reason and found)
        assert (seen.phase, seen.reason) == (Phase.PENDING, Reason.NO_CAPACITY)
        assert "nodeName" not in double.get("pods", second.namespace, f"{second.name}-0")["spec"]
