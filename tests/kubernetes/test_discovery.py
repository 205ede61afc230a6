"""What nodes advertise becomes classes that a catalog file could hold, and that count as many slots as were proposed."""

from types import SimpleNamespace

import pytest

from engines import catalog_schema as schema
from engines.clusters.base import Caution
from engines.clusters.kubernetes.capacity import count_slots
from engines.clusters.kubernetes.discovery import propose
from engines.operations.catalog_fields import gpu_class_fields
from engines.workloads import gpu_spec
from tests.kubernetes.documents import NVIDIA_TAINT, dra_device, dra_slice, node, nvidia_node
from tests.kubernetes.test_capacity import BY_COMMAS, RENAMED, SAME_NAME, SINGLE, VIRTUAL, hami_node

MIXED = nvidia_node(
    product="NVIDIA-A100-SXM4-80GB",
    gpus=0,
    labels={"nvidia.com/mig.strategy": "mixed"},
    allocatable={"nvidia.com/mig-1g.10gb": "7", "nvidia.com/mig-3g.40gb": "1"},
)
MPS = nvidia_node(
    product="NVIDIA-L4",
    labels={"nvidia.com/gpu.sharing-strategy": "mps", "nvidia.com/gpu.replicas": "2", "nvidia.com/gpu.memory": "23034"},
    allocatable={"nvidia.com/gpu": "0", "nvidia.com/gpu.shared": "4"},
)
DRA = dra_slice("gpu-1", dra_device("gpu-0"), dra_device("gpu-1"), dra_device("gpu-2", "NVIDIA L4", "23034Mi"))
MIG_DEVICE = dra_device(
    "mig-0", attributes={"type": {"string": "mig"}, "productName": {"string": "NVIDIA A100"}, "profile": {"string": "1g.10gb"}}
)

CASES = {
    "whole cards": ([nvidia_node()], [], {"nvidia-geforce-rtx-4090": 4}),
    "two nodes of one kind": ([nvidia_node("a"), nvidia_node("b", gpus=2)], [], {"nvidia-geforce-rtx-4090": 6}),
    "two kinds": ([nvidia_node("a"), nvidia_node("b", product="Tesla-T4")], [], {"nvidia-geforce-rtx-4090": 4, "tesla-t4": 4}),
    "no product label": ([node(allocatable={"nvidia.com/gpu": "2"})], [], {"nvidia-gpu": 2}),
    "MIG mixed": ([MIXED], [], {"nvidia-a100-sxm4-80gb-slice-1g-10gb": 7, "nvidia-a100-sxm4-80gb-slice-3g-40gb": 1}),
    "MIG single": ([nvidia_node(product=SINGLE, gpus=7)], [], {"nvidia-a100-sxm4-40gb-slice-1g-5gb": 7}),
    "time-slicing, renamed": ([RENAMED], [], {"tesla-t4-shared-by-turns": 8}),
    "time-slicing, same name": ([SAME_NAME], [], {"tesla-t4-shared-by-turns": 8}),
    "MPS": ([MPS], [], {"nvidia-l4-an-even-part": 4}),
    "HAMi": ([hami_node(BY_COMMAS)], [], {"nvidia-tesla-v100-pcie-32gb-half": 4}),
    "ACK": ([node(allocatable={"aliyun.com/gpu-mem": "44", "aliyun.com/gpu-count": "2"})], [], {"nvidia-on-ack-11-gib": 4}),
    "AMD": (
        [node(allocatable={"amd.com/gpu": "8"}, labels={"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM"})],
        [],
        {"amd-instinct-mi300x-oam": 8},
    ),
    "Intel": ([node(allocatable={"gpu.intel.com/xe": "2"})], [], {"intel-gpu": 2}),
    "another maker": ([node(allocatable={"cambricon.com/mlu": "3"})], [], {"cambricon-com-mlu": 3}),
    "devices of slices": ([node("gpu-1")], [DRA], {"nvidia-geforce-rtx-4090-dra": 2, "nvidia-l4-dra": 1}),
    "slices of slices": ([node("gpu-1")], [dra_slice("gpu-1", MIG_DEVICE)], {"nvidia-a100-slice-1g-10gb-dra": 1}),
    "a device of no node": ([node("gpu-1")], [dra_slice("elsewhere", dra_device("gpu-0"))], {}),
    "CPU alone": ([node()], [], {}),
}


def spec_of(proposal):
    """The class as it would be once taken over."""
    fields = gpu_class_fields(schema.GpuClass.model_validate(proposal.entry))
    return gpu_spec(SimpleNamespace(slug=proposal.slug, **fields))


@pytest.mark.parametrize(("nodes", "slices", "expected"), CASES.values(), ids=CASES)
def test_what_is_proposed_is_a_legal_class_that_counts_as_proposed(nodes, slices, expected):
    proposals = propose(nodes, slices)
    assert {each.slug: each.slots for each in proposals} == expected
    counted = count_slots(nodes, [], [spec_of(each) for each in proposals], slices)
    assert {each.gpu_class: each.total for each in counted} == expected


def test_the_whole_entry_of_a_whole_card():
    [proposal] = propose([nvidia_node("a", taints=[NVIDIA_TAINT]), nvidia_node("b", gpus=8, taints=[])])
    assert proposal.entry == {
        "slug": "nvidia-geforce-rtx-4090",
        "name": "NVIDIA GeForce RTX 4090",
        "summary": "A whole card.",
        "vendor": "nvidia",
        "sharing": "exclusive",
        "count": 1,
        "memory_mib": 24564,
        "resource": "nvidia.com/gpu",
        "node_selector": {"nvidia.com/gpu.product": "NVIDIA-GeForce-RTX-4090"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"}],
        "cpu_millis": 3500,  # of the node with eight cards
        "ram_mib": 14336,
        "discover": {"by": "product-label"},
    }
    assert proposal.nodes == ("a", "b")


def test_taints_that_kubernetes_sets_are_not_tolerated():
    [proposal] = propose([nvidia_node(taints=[NVIDIA_TAINT], cordoned=True)])
    assert [each["key"] for each in proposal.entry["tolerations"]] == ["nvidia.com/gpu"]


def test_a_claim_asks_for_the_product_by_the_drivers_class():
    four_ninety, l4 = propose([node("gpu-1")], [DRA])
    assert four_ninety.entry["dra"] == {
        "first_available": [
            {
                "name": "nvidia-geforce-rtx-4090",
                "device_class": "gpu.nvidia.com",
                "cel": ["device.attributes['gpu.nvidia.com'].productName == 'NVIDIA GeForce RTX 4090'"],
            }
        ]
    }
    assert "resource" not in four_ninety.entry
    assert l4.entry["memory_mib"] == 23034


@pytest.mark.parametrize(
    ("nodes", "cautions"),
    [
        ([nvidia_node()], {Caution.CONSUMER_LICENCE}),
        ([nvidia_node(product="NVIDIA-L4")], set()),
        ([RENAMED], {Caution.NOT_ISOLATED}),
        ([SAME_NAME], {Caution.NOT_ISOLATED}),
        ([MPS], {Caution.EXPERIMENTAL}),
        ([hami_node(BY_COMMAS)], {Caution.CUT_IN_SOFTWARE}),
        ([node(allocatable={"nvidia.com/gpu": "2"})], {Caution.NO_PRODUCT}),
        ([node(allocatable={"amd.com/gpu": "1"})], {Caution.ANOTHER_IMAGE, Caution.NO_PRODUCT}),
        ([VIRTUAL], {Caution.BY_POLICY}),
    ],
)
def test_what_an_operator_must_know(nodes, cautions):
    [proposal] = propose(nodes)
    assert set(proposal.cautions) == cautions


def test_a_virtual_node_is_a_class_without_a_number():
    [proposal] = propose([VIRTUAL])
    spec = spec_of(proposal)
    assert (proposal.slots, spec.discover) == (0, {"by": "slots"})
    assert count_slots([VIRTUAL], [], [spec], by_policy={spec.gpu_class: 3})[0].total == 3


def test_the_same_cluster_is_proposed_the_same():
    nodes = [nvidia_node("a"), MIXED, nvidia_node("b", product="NVIDIA-L4", labels={"nvidia.com/gpu.memory": "23034"})]
    assert propose(nodes) == propose(nodes)
    assert [each.slug for each in propose(nodes)] == [each.slug for each in propose(nodes[::-1])]


def test_a_driver_that_counts_memory_differently_makes_no_second_class():
    nodes = [nvidia_node("a"), nvidia_node("b", labels={"nvidia.com/gpu.memory": "24576"})]
    assert [(each.slug, each.slots) for each in propose(nodes)] == [("nvidia-geforce-rtx-4090", 8)]


def test_long_names_stay_apart():
    product = "NVIDIA-RTX-6000-Ada-Generation-With-A-Long-Name"
    slugs = [each.slug for each in propose([nvidia_node("a", product=f"{product}-A"), nvidia_node("b", product=f"{product}-B")])]
    assert len(set(slugs)) == 2
    assert all(len(slug) <= 40 for slug in slugs)
