"""What nodes, Pods, slices and claims mean in slots, way by way to offer a GPU."""

from dataclasses import replace
from decimal import Decimal

import pytest

from engines.clusters.base import ClassCapacity, GpuSpec
from engines.clusters.kubernetes.capacity import count_slots
from engines.clusters.kubernetes.nodes import requested
from engines.clusters.kubernetes.quantities import quantity
from tests.kubernetes.documents import (
    NVIDIA_TAINT,
    NVIDIA_TOLERATION,
    dra_claim,
    dra_device,
    dra_slice,
    node,
    nvidia_node,
    our_pod,
    pod,
)

RTX = GpuSpec(
    "rtx-4090",
    vendor="nvidia",
    resource="nvidia.com/gpu",
    count=1,
    cpu_millis=4000,
    ram_mib=16384,
    node_selector={"nvidia.com/gpu.product": "NVIDIA-GeForce-RTX-4090"},
    tolerations=(NVIDIA_TOLERATION,),
    discover={"by": "product-label"},
)
ANY = replace(RTX, gpu_class="any", node_selector={}, discover={"by": "allocatable"})
CPU = GpuSpec("cpu", cpu_millis=4000, ram_mib=16384)
GPU_LIMIT = {"limits": {"nvidia.com/gpu": "1"}}


def one(spec, nodes, pods=(), slices=(), claims=(), **more) -> ClassCapacity:
    [counted] = count_slots(nodes, pods, [spec], slices, claims, **more)
    assert counted.gpu_class == spec.gpu_class
    assert bool(counted.total) != bool(counted.evidence)
    return counted


def total(spec, nodes, pods=(), slices=(), claims=(), **more) -> int:
    return one(spec, nodes, pods, slices, claims, **more).total


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4", 4), ("250m", Decimal("0.25")), ("8Gi", 8 * 1024**3), ("1k", 1000), ("2M", 2_000_000), ("1e3", 1000), ("1E", 10**18),
        ("1.5Gi", 1536 * 1024**2), ("100n", Decimal("1e-7")), (3, 3), ("", 0), ("many", 0), ("1.2.3", 0), (None, 0), ("5Zi", 0),
    ],
)  # fmt: skip
def test_quantities(text, number):
    assert quantity(text) == number


# --- Nodes ----------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([nvidia_node(gpus=4)], (4, 4)),
        ([nvidia_node("a", gpus=4), nvidia_node("b", gpus=2)], (6, 4)),
        ([nvidia_node("a", gpus=4), nvidia_node("b", gpus=2, ready="Unknown")], (4, 4)),
        ([nvidia_node("a", gpus=4), nvidia_node("b", gpus=2, cordoned=True)], (4, 4)),
        ([nvidia_node("a", gpus=4), nvidia_node("b", product="NVIDIA-L4", gpus=8)], (4, 4)),
        (
            [nvidia_node("a", gpus=1), nvidia_node("b", gpus=2, taints=[NVIDIA_TAINT, {"key": "team", "effect": "NoExecute"}])],
            (1, 1),
        ),
        ([nvidia_node("a", gpus=2, taints=[{"key": "spot", "effect": "PreferNoSchedule"}])], (2, 2)),
        ([nvidia_node("a", gpus=3, taints=[])], (3, 3)),
    ],
)
def test_whole_cards_of_the_nodes_that_would_take_them(nodes, expected):
    found = one(RTX, nodes)
    assert (found.total, found.largest_node) == expected


@pytest.mark.parametrize(
    ("nodes", "evidence"),
    [
        ([], "no node is Ready and takes Pods"),
        ([nvidia_node(ready="False")], "no node is Ready and takes Pods"),
        ([nvidia_node(product="Tesla-T4")], "no node has the labels nvidia.com/gpu.product=NVIDIA-GeForce-RTX-4090"),
        (
            [nvidia_node(taints=[NVIDIA_TAINT, {"key": "team", "value": "video", "effect": "NoSchedule"}])],
            "its nodes have taints that it does not tolerate: team=video:NoSchedule",
        ),
        ([nvidia_node(allocatable={"nvidia.com/gpu": "0"})], "no node that it may use has 1 of nvidia.com/gpu"),
        ([nvidia_node(allocatable={"cpu": "2"})], "no node that it may use has 4 of cpu"),
        (
            [nvidia_node(labels={"nvidia.com/gpu.sharing-strategy": "time-slicing", "nvidia.com/gpu.replicas": "4"})],
            "its nodes divide their GPUs among several Pods, and the class promises whole ones",
        ),
    ],
)
def test_why_there_are_none(nodes, evidence):
    assert one(RTX, nodes) == ClassCapacity("rtx-4090", 0, 0, evidence)


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"key": "team", "operator": "Exists"}, True),
        ({"key": "team", "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": "team", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "team", "operator": "Equal", "value": "video"}, True),
        ({"key": "team", "value": "video"}, True),
        ({"key": "team", "operator": "Equal", "value": "audio"}, False),
        ({"key": "other", "operator": "Exists"}, False),
        ({"operator": "Exists"}, True),
        ({"operator": "Exists", "effect": "NoSchedule"}, True),
    ],
)
def test_tolerations(toleration, tolerated):
    tainted = node(taints=[{"key": "team", "value": "video", "effect": "NoSchedule"}])
    assert bool(total(replace(CPU, tolerations=(toleration,)), [tainted])) is tolerated


# --- What others hold ----------------------------------------------------


@pytest.mark.parametrize(
    ("held", "left"),
    [
        ([], 4),
        ([pod("train", **GPU_LIMIT)], 3),
        ([pod("train", limits={"nvidia.com/gpu": "3"})], 1),
        ([pod("train", phase="Pending", **GPU_LIMIT)], 3),
        ([pod("train", phase="Succeeded", **GPU_LIMIT), pod("eval", phase="Failed", **GPU_LIMIT)], 4),
        ([pod("train", on="another", **GPU_LIMIT)], 4),
        ([pod("waits", on="", **GPU_LIMIT)], 4),
        ([pod("cpu", requests={"cpu": "24", "memory": "1Gi"})], 1),
        ([pod("big", requests={"memory": "100Gi"})], 1),
        ([pod("greedy", limits={"nvidia.com/gpu": "4"})], 0),
        ([pod("overcommitted", requests={"cpu": "40"})], 0),
    ],
)
def test_what_others_hold_is_taken_away(held, left):
    assert total(RTX, [nvidia_node(gpus=4)], held) == left


def test_what_is_full_says_so():
    assert one(RTX, [nvidia_node()], [pod("all", limits={"nvidia.com/gpu": "4"})]).evidence == (
        "others hold what it needs on every node that it may use"
    )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"containers": [{"resources": {"requests": {"cpu": "1"}}}, {"resources": {"requests": {"cpu": "500m"}}}]}, "1.5"),
        ({"containers": [{"resources": {"limits": {"cpu": "2"}}}]}, "2"),
        ({"containers": [{"resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}}]}, "1"),
        (
            {
                "initContainers": [{"resources": {"requests": {"cpu": "3"}}}],
                "containers": [{"resources": {"requests": {"cpu": "1"}}}],
            },
            "3",
        ),
        (
            {
                "initContainers": [
                    {"restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}},
                    {"resources": {"requests": {"cpu": "3"}}},
                ],
                "containers": [{"resources": {"requests": {"cpu": "1"}}}],
            },
            "4",
        ),
        ({"containers": [{"resources": {"requests": {"cpu": "1"}}}], "overhead": {"cpu": "250m"}}, "1.25"),
        ({"resources": {"requests": {"cpu": "6"}}, "containers": [{"resources": {"requests": {"cpu": "1"}}}]}, "6"),
        ({"containers": [{}]}, "0"),
    ],
)
def test_what_a_pod_holds(spec, expected):
    assert requested({"spec": spec}).get("cpu", Decimal(0)) == Decimal(expected)


def test_our_own_pods_hold_nothing_against_their_class_and_something_against_others():
    nodes = [nvidia_node(gpus=4)]
    ours = [our_pod("i-one-0", "rtx-4090", **GPU_LIMIT), our_pod("i-two-0", "any", **GPU_LIMIT)]
    assert [each.total for each in count_slots(nodes, ours, [RTX, ANY])] == [3, 3]
    assert total(RTX, nodes, [our_pod("i-old-0", **GPU_LIMIT)]) == 4  # of no known class: counted by the portal's own rows alone


# --- Node by node, not in sums ----------------------------------------------------


@pytest.mark.parametrize(
    ("gpus", "count", "expected"),
    [([4], 2, (2, 2)), ([3, 3], 2, (2, 1)), ([1, 1], 2, (0, 0)), ([8, 1], 8, (1, 1))],
)
def test_several_cards_are_of_one_node(gpus, count, expected):
    nodes = [nvidia_node(f"n{number}", gpus=each) for number, each in enumerate(gpus)]
    found = one(replace(RTX, count=count), nodes)
    assert (found.total, found.largest_node) == expected


def test_cpu_and_memory_are_of_one_node():
    assert total(replace(RTX, cpu_millis=20_000), [nvidia_node("a"), nvidia_node("b")]) == 2
    assert total(replace(RTX, ram_mib=100 * 1024), [nvidia_node("a"), nvidia_node("b")]) == 2
    assert total(CPU, [node("a"), node("b", allocatable={"cpu": "3"})]) == 7


def test_the_number_of_pods_is_a_limit_too():
    assert total(CPU, [node(allocatable={"pods": "3"})], [pod("daemon", requests={"cpu": "10m"})]) == 2


# --- Ways to divide ----------------------------------------------------


def test_mig_mixed_is_a_resource_of_its_own():
    mixed = nvidia_node(
        product="NVIDIA-A100-SXM4-80GB",
        gpus=0,
        labels={"nvidia.com/mig.strategy": "mixed"},
        allocatable={"nvidia.com/mig-1g.10gb": "7", "nvidia.com/mig-3g.40gb": "1"},
    )
    small = replace(ANY, sharing="mig", resource="nvidia.com/mig-1g.10gb", node_selector={"nvidia.com/mig.strategy": "mixed"})
    assert total(small, [mixed]) == 7
    assert total(small, [mixed], [pod("train", limits={"nvidia.com/mig-1g.10gb": "2"})]) == 5
    assert total(replace(small, resource="nvidia.com/mig-3g.40gb"), [mixed]) == 1


SINGLE = "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb"


@pytest.mark.parametrize(
    ("sharing", "selector", "expected"),
    [
        ("mig", {"nvidia.com/gpu.product": SINGLE}, 14),
        ("mig", {}, 14),
        ("exclusive", {"nvidia.com/gpu.product": SINGLE}, 14),
        ("exclusive", {}, 0),  # a slice is no whole card
    ],
)
def test_mig_single_is_told_by_the_product(sharing, selector, expected):
    sliced = nvidia_node(product=SINGLE, gpus=14, labels={"nvidia.com/mig.strategy": "single"})
    spec = replace(ANY, sharing=sharing, node_selector=selector, cpu_millis=1000, ram_mib=4096)
    assert total(spec, [sliced]) == expected


def test_a_whole_card_is_no_slice():
    assert one(replace(ANY, sharing="mig"), [nvidia_node()]).evidence == (
        "its nodes offer whole GPUs, and the class promises MIG slices"
    )


RENAMED = nvidia_node(
    product="Tesla-T4",
    labels={"nvidia.com/gpu.sharing-strategy": "time-slicing", "nvidia.com/gpu.replicas": "4", "nvidia.com/gpu.count": "2"},
    allocatable={"nvidia.com/gpu": "0", "nvidia.com/gpu.shared": "8"},
)
SAME_NAME = nvidia_node(
    product="Tesla-T4-SHARED",
    gpus=8,
    labels={"nvidia.com/gpu.sharing-strategy": "time-slicing", "nvidia.com/gpu.replicas": "4", "nvidia.com/gpu.count": "2"},
)
SMALL = replace(ANY, cpu_millis=2000, ram_mib=8192)


@pytest.mark.parametrize(
    ("shared", "resource", "sharing", "expected"),
    [
        (RENAMED, "nvidia.com/gpu.shared", "time-slicing", 8),
        (RENAMED, "nvidia.com/gpu.shared", "mps", 0),
        (RENAMED, "nvidia.com/gpu", "exclusive", 0),
        (SAME_NAME, "nvidia.com/gpu", "time-slicing", 8),
        (SAME_NAME, "nvidia.com/gpu", "mps", 0),
        (SAME_NAME, "nvidia.com/gpu", "exclusive", 0),
    ],
)
def test_time_slices_are_replicas_and_never_whole_cards(shared, resource, sharing, expected):
    assert total(replace(SMALL, resource=resource, sharing=sharing), [shared]) == expected


def test_mps_shares_are_replicas():
    shared = nvidia_node(
        product="NVIDIA-L4",
        labels={"nvidia.com/gpu.sharing-strategy": "mps", "nvidia.com/gpu.replicas": "2"},
        allocatable={"nvidia.com/gpu": "0", "nvidia.com/gpu.shared": "4"},
    )
    spec = replace(SMALL, resource="nvidia.com/gpu.shared", sharing="mps")
    assert total(spec, [shared], [pod("other", limits={"nvidia.com/gpu.shared": "1"})]) == 3


A, B = "GPU-00552014-5c87-89ac-b1a6-7b53aa24b0ec", "GPU-0fc3eda5-e98b-a25b-5b0d-cf5c855d1448"
BY_COMMAS = f"{A},10,32768,100,NVIDIA-Tesla V100-PCIE-32GB,0,true:{B},10,32768,100,NVIDIA-Tesla V100-PCIE-32GB,0,true:"
IN_JSON = (
    f'[{{"id":"{A}","count":10,"devmem":32768,"devcore":100,"type":"NVIDIA-V100","mode":"hami-core","health":true}},'
    f'{{"id":"{B}","index":1,"count":10,"devmem":32768,"devcore":100,"type":"NVIDIA-Tesla V100-PCIE-32GB","health":true}}]'
)
ONE_ILL = BY_COMMAS.replace("0,true:", "0,false:", 1)


def hami_node(annotation: str):
    return nvidia_node(product="Tesla-V100-PCIE-32GB", gpus=20, annotations={"hami.io/node-nvidia-register": annotation})


def hami(count: int = 1, **limits: str) -> GpuSpec:
    names = {"mem": "nvidia.com/gpumem", "percent": "nvidia.com/gpumem-percentage", "cores": "nvidia.com/gpucores"}
    return replace(
        SMALL, sharing="hami", count=count, extra_limits={names[key]: value for key, value in limits.items()}, ram_mib=1024
    )


def hami_pod(devices: str):
    return pod("other", limits={"nvidia.com/gpu": "1"}, annotations={"hami.io/vgpu-devices-allocated": devices})


@pytest.mark.parametrize(
    ("annotation", "spec", "held", "expected"),
    [
        (BY_COMMAS, hami(mem="8000"), [], 8),
        (IN_JSON, hami(mem="8000"), [], 8),
        (ONE_ILL, hami(mem="8000"), [], 4),
        (BY_COMMAS, hami(mem="8000", cores="30"), [], 6),
        (BY_COMMAS, hami(mem="100"), [], 15),  # ten splits a card, and CPU for fifteen
        (BY_COMMAS, hami(percent="50"), [], 4),
        (BY_COMMAS, hami(), [], 2),
        (BY_COMMAS, hami(cores="50"), [], 2),  # without a size of memory HAMi gives all of it
        (BY_COMMAS, hami(mem="20000"), [], 2),  # what two cards have left together is no third
        (BY_COMMAS, hami(count=2, mem="8000"), [], 4),
        (BY_COMMAS, hami(mem="8000"), [hami_pod(f"{A},NVIDIA,30000,50:;")], 4),
        (BY_COMMAS, hami(percent="50"), [hami_pod(f"{A},NVIDIA,1000,0:;")], 3),
        (BY_COMMAS, hami(mem="8000"), [hami_pod(f"{A},NVIDIA,16384,0:{B},NVIDIA,16384,0:;")], 4),
        (BY_COMMAS, hami(mem="8000"), [hami_pod("nonsense")], 8),
        ("not JSON", hami(mem="8000"), [], 0),
        ("[broken", hami(mem="8000"), [], 0),
    ],
)
def test_hami_is_counted_card_by_card(annotation, spec, held, expected):
    assert total(spec, [hami_node(annotation)], held) == expected


def aliyun(gib: int) -> GpuSpec:
    return replace(SMALL, resource="aliyun.com/gpu-mem", count=gib, sharing="time-slicing", tolerations=(), ram_mib=1024)


@pytest.mark.parametrize(
    ("gib", "held", "expected"),
    [
        (8, [], 4),  # two cards of 22 GiB, two each: not five of 44
        (22, [], 2),
        (23, [], 0),
        (8, [("16", "0")], 2),
        (8, [("16", "")], 2),
        (8, [("16", ""), ("16", "")], 0),
        (8, [("16", "1"), ("4", "1")], 2),
        (2, [("22", "0")], 11),
    ],
)
def test_shared_memory_on_ack_is_of_one_card(gib, held, expected):
    shared = node(allocatable={"aliyun.com/gpu-mem": "44", "aliyun.com/gpu-count": "2"})
    pods = [
        pod(f"p{number}", limits={"aliyun.com/gpu-mem": memory}, annotations={"ALIYUN_COM_GPU_MEM_IDX": card} if card else {})
        for number, (memory, card) in enumerate(held)
    ]
    assert total(aliyun(gib), [shared], pods) == expected


@pytest.mark.parametrize(
    ("resource", "labels"),
    [
        ("amd.com/gpu", {"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM"}),
        ("gpu.intel.com/i915", {"gpu.intel.com/product": "Max_1550"}),
        ("gpu.intel.com/xe", {}),
    ],
)
def test_cards_of_other_makers(resource, labels):
    there = node(labels=labels, allocatable={resource: "3"})
    spec = replace(ANY, resource=resource, node_selector=labels, tolerations=())
    assert total(spec, [there]) == 3
    assert total(spec, [there], [pod("train", limits={resource: "2"})]) == 1


def test_cpu_classes_are_counted_by_cpu_and_memory():
    assert total(CPU, [node()], [pod("other", requests={"cpu": "8", "memory": "8Gi"})]) == 5
    assert total(CPU, [nvidia_node()]) == 0  # its taint keeps off what needs no GPU
    assert total(replace(CPU, ram_mib=64 * 1024), [node()]) == 1


# --- Virtual nodes, and numbers set by people ----------------------------------------------------

VIRTUAL = node(
    "virtual-kubelet-cn-hangzhou-i",
    labels={"type": "virtual-kubelet", "alibabacloud.com/virtual-node": "true"},
    taints=[{"key": "virtual-kubelet.io/provider", "value": "alibabacloud", "effect": "NoSchedule"}],
    allocatable={"cpu": "100k", "memory": "1000Ti"},
)
ECI = replace(
    ANY,
    gpu_class="eci",
    tolerations=({"key": "virtual-kubelet.io/provider", "operator": "Equal", "value": "alibabacloud", "effect": "NoSchedule"},),
    discover={"by": "slots", "slots": 6},
)


def test_a_virtual_node_holds_as_many_as_people_say():
    assert total(ECI, [VIRTUAL, node()]) == 6
    assert one(replace(ECI, node_selector={"type": "virtual-kubelet"}), [node()]).evidence == (
        "no node has the labels type=virtual-kubelet"
    )
    assert one(replace(ECI, discover={"by": "slots"}), [VIRTUAL]).evidence == (
        "nodes do not advertise it, and neither the class nor the cluster gives a number of slots"
    )


def test_what_a_virtual_node_says_of_itself_is_not_counted():
    cpu = replace(CPU, tolerations=({"operator": "Exists"},))
    assert total(cpu, [VIRTUAL, node()]) == 7
    assert one(cpu, [VIRTUAL]).evidence.startswith("only virtual nodes would take it")


def test_a_number_of_the_cluster_counts_before_everything():
    assert total(ECI, [], by_policy={"eci": 3}) == 3
    assert count_slots([nvidia_node()], [], [RTX, ECI], by_policy={"rtx-4090": 2})[0].total == 2


# --- Dynamic resource allocation ----------------------------------------------------

PRODUCT = "device.attributes['gpu.nvidia.com'].productName == 'NVIDIA GeForce RTX 4090'"
LARGE = "device.capacity['gpu.nvidia.com'].memory.compareTo(quantity('24Gi')) >= 0"


def dra(*cel: str, count: int = 1, device_class: str = "gpu.nvidia.com", **alternative: object) -> GpuSpec:
    first = [{"name": "first", "device_class": device_class, "count": count, "cel": list(cel)}]
    more = [{"name": "second", "device_class": device_class, "count": 1, **alternative}] if alternative else []
    return replace(ANY, resource="", dra={"first_available": first + more}, tolerations=(), discover={"by": "resource-slices"})


FOUR = dra_slice("gpu-1", *(dra_device(f"gpu-{number}") for number in range(4)))
TWO_L4 = dra_slice("gpu-2", dra_device("gpu-0", "NVIDIA L4", "23034Mi"), dra_device("gpu-1", "NVIDIA L4", "23034Mi"))
MIG = dra_device("gpu-9", attributes={"type": {"string": "mig"}, "profile": {"string": "1g.10gb"}})


@pytest.mark.parametrize(
    ("spec", "slices", "expected"),
    [
        (dra(), [FOUR], 4),
        (dra(), [FOUR, TWO_L4], 6),
        (dra(PRODUCT), [FOUR, TWO_L4], 4),
        (dra(PRODUCT, cel=[]), [FOUR, TWO_L4], 6),  # alternatives together, no device twice
        (dra(LARGE), [FOUR, TWO_L4], 0),  # 24564 MiB are a little less than 24 GiB
        (dra("device.capacity['gpu.nvidia.com'].memory.compareTo(quantity('23Gi')) >= 0"), [FOUR, TWO_L4], 4),
        (dra("device.capacity['gpu.nvidia.com'].memory.isGreaterThan(quantity('23Gi'))"), [FOUR, TWO_L4], 4),
        (dra("device.capacity['gpu.nvidia.com'].memory.isLessThan(quantity('23Gi'))"), [FOUR, TWO_L4], 2),
        (dra("device.attributes['gpu.nvidia.com'].productName.matches('RTX [0-9]+$')"), [FOUR, TWO_L4], 4),
        (dra("device.attributes['gpu.nvidia.com'].productName.startsWith('NVIDIA L')"), [FOUR, TWO_L4], 2),
        (dra("device.attributes['gpu.nvidia.com'].productName != 'NVIDIA L4'"), [FOUR, TWO_L4], 4),
        (dra("device.attributes['gpu.nvidia.com'].index < 2"), [FOUR, TWO_L4], 4),
        (dra(f"({PRODUCT}) && device.attributes['gpu.nvidia.com'].index >= 3"), [FOUR], 1),
        (dra('device.attributes["gpu.nvidia.com"].productName == "A && B"'), [FOUR], 0),
        (dra("device.attributes['gpu.nvidia.com'].unheardOf == true"), [FOUR], 0),
        (dra("device.attributes['gpu.nvidia.com'].productName > 4"), [FOUR], 0),
        (dra(count=3), [FOUR], 1),
        (dra(count=2), [FOUR, TWO_L4], 3),
        (dra(device_class="mig.nvidia.com"), [dra_slice("gpu-1", MIG)], 1),
        (dra(), [dra_slice("gpu-1", MIG)], 0),
        (dra(device_class="example.com/accelerator"), [FOUR], 0),
        (dra(device_class="gpu.example.com"), [dra_slice("gpu-1", dra_device("gpu-0"), driver="gpu.example.com")], 1),
        (dra(), [FOUR, dra_slice("gpu-1", dra_device("gpu-0"), generation=2)], 1),  # the newer generation replaces the older
        (dra(), [dra_slice("gpu-1", dra_device("gpu-0", taints=[{"key": "ill", "effect": "NoExecute"}]))], 0),
        (dra(), [dra_slice("gpu-1", dra_device("gpu-0", consumesCounters=[{"counterSet": "gpu-0"}]))], 0),
        (dra(), [dra_slice("gpu-1", {"name": "gpu-0", "basic": dra_device("gpu-0")})], 1),  # v1beta1
        (dra(), [dra_slice("not-ready", dra_device("gpu-0"))], 0),
        (dra(), [dra_slice("", dra_device("gpu-0"), dra_device("gpu-1"))], 2),  # reachable from every node
        (dra(), [], 0),
    ],
)
def test_devices_of_slices(spec, slices, expected):
    nodes = [node("gpu-1"), node("gpu-2"), node("not-ready", ready="Unknown")]
    assert total(spec, nodes, slices=slices) == expected


def test_claimed_devices_are_taken_away_unless_our_own_class_has_them():
    ours = {"app.kubernetes.io/managed-by": "aigc-portal", "aigc-portal.io/gpu-class": "any"}
    others = ours | {"aigc-portal.io/gpu-class": "another"}
    claims = [dra_claim("gpu-0"), dra_claim("gpu-1", labels=ours), dra_claim("gpu-2", labels=others)]
    assert total(dra(), [node("gpu-1")], slices=[FOUR], claims=claims) == 2


def test_a_device_needs_cpu_and_memory_beside_it():
    assert total(replace(dra(), cpu_millis=15_000), [node("gpu-1")], slices=[FOUR]) == 2


def test_the_object_of_a_device_class_counts_before_what_is_known_of_its_name():
    small = {
        "metadata": {"name": "gpu.nvidia.com"},
        "spec": {"selectors": [{"cel": {"expression": "device.attributes['gpu.nvidia.com'].index == 0"}}]},
    }
    assert total(dra(), [node("gpu-1")], slices=[FOUR], device_classes=[small]) == 1


@pytest.mark.parametrize(
    "expression",
    [
        "device.attributes['gpu.nvidia.com'].index == 1 || true",
        "'type' in device.attributes['gpu.nvidia.com']",
        "device.attributes['gpu.nvidia.com'].cudaComputeCapability.compareTo(semver('8.0.0')) >= 0",
        "device.capacity['gpu.nvidia.com'].memory == 3",
        "!device.attributes['gpu.nvidia.com'].healthy",
        "(true) && (false || true)",
    ],
)
def test_what_is_not_understood_is_not_guessed(expression):
    found = one(dra(expression), [node("gpu-1")], slices=[FOUR])
    assert found.total == 0
    assert found.evidence.startswith("devices cannot be counted by ")


def test_the_other_classes_are_counted_all_the_same():
    found = count_slots([nvidia_node("gpu-1", taints=[])], [], [RTX, dra("nonsense"), CPU], [FOUR])
    assert [(each.gpu_class, each.total) for each in found] == [("rtx-4090", 4), ("any", 0), ("cpu", 7)]
