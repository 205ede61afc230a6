"""How many workloads of each GPU class a cluster can hold beside what others run there. Pure: documents in, numbers out.

A slot is counted node by node, as the scheduler places: a class gets what is left of its device, CPU and memory on one node,
never their sums. Counted are nodes that are Ready and not cordoned, have the class's labels, and have no taint that it does not
tolerate. Preferences between nodes are not conditions and do not count.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from engines.clusters.base import ClassCapacity, GpuSpec
from engines.clusters.kubernetes.cards import (
    COUNTED_BY_CARD,
    SHARED_BY,
    SHARING_STRATEGY,
    hands_out_shares,
    is_divided,
    promises_whole_cards,
    shares,
)
from engines.clusters.kubernetes.devices import allocated, claims_per_node, key_of, offered
from engines.clusters.kubernetes.labels import GPU_CLASS, MANAGED_BY, MANAGER
from engines.clusters.kubernetes.nodes import (
    Amounts,
    Json,
    allocatable,
    bound_to,
    held_by,
    is_open,
    is_selected,
    is_virtual,
    labels_of,
    name_of,
    needs,
    plus,
    untolerated,
)
from engines.clusters.kubernetes.selecting import Device, NotUnderstood

"""On our Pods and claims: which class they hold a slot of."""

_WHOLE = "nvidia.com/gpu"
_PRODUCT, _REPLICAS = "nvidia.com/gpu.product", "nvidia.com/gpu.replicas"
_DIVIDED = "its nodes divide their GPUs among several Pods, and the class promises whole ones"


@dataclass(frozen=True)
class _Node:
    """A node with those of its Pods that may hold something against us."""

    raw: Json
    given: Amounts
    pods: Sequence[Json]
    held: Amounts = field(default_factory=dict)
    ours: Mapping[str, Amounts] = field(default_factory=dict)  # GPU class → what our Pods of it hold, included in `held`

    def left(self, gpu_class: str) -> Amounts:
        """What workloads of the class can have, those that have it already included."""
        taken = plus(self.held, {name: -amount for name, amount in self.ours.get(gpu_class, {}).items()})
        return {name: amount - taken.get(name, Decimal(0)) for name, amount in self.given.items()}

    def others(self, gpu_class: str) -> list[Json]:
        """Return the Pods that are not of this class."""
        return [pod for pod in self.pods if _class_of(pod) != gpu_class]


@dataclass(frozen=True)
class _Devices:
    offered: Sequence[Device]
    claims: Sequence[Json]
    device_classes: Sequence[Json]

    def per_node(self, spec: GpuSpec) -> Counter[str]:
        """Count what the class can claim where, what it has claimed already included."""
        taken = allocated(claim for claim in self.claims if _holds_against(claim, spec.gpu_class))
        return claims_per_node(spec, [each for each in self.offered if key_of(each) not in taken], self.device_classes)


def count_slots(  # noqa: PLR0913 - each is a list of the API's
    nodes: Iterable[Json],
    pods: Iterable[Json],
    classes: Sequence[GpuSpec],
    resource_slices: Iterable[Json] = (),
    resource_claims: Iterable[Json] = (),
    *,
    device_classes: Sequence[Json] = (),
    by_policy: Mapping[str, int] | None = None,
) -> list[ClassCapacity]:
    """Count every class. Documents are as the API sends them: Node, Pod, ResourceSlice, ResourceClaim, DeviceClass.

    `pods` may be all of the cluster's or those of others alone: of ours, those hold something against a class that GPU_CLASS
    names as another's, since our slots of the class itself are counted elsewhere. `by_policy`: slots of this cluster by class
    slug, set by people; they count instead of what nodes say.
    """
    held = bound_to(pod for pod in pods if _is_foreign(pod) or _class_of(pod))
    looked_at = [_node(each, held.get(name_of(each), [])) for each in nodes]
    devices = _Devices(offered(resource_slices), list(resource_claims), device_classes)
    return [_count(spec, looked_at, devices, by_policy or {}) for spec in classes]


def _node(raw: Json, pods: list[Json]) -> _Node:
    ours: dict[str, list[Json]] = {}
    for pod in pods:
        if _class_of(pod):
            ours.setdefault(_class_of(pod), []).append(pod)
    return _Node(raw, allocatable(raw), pods, held_by(pods), {name: held_by(each) for name, each in ours.items()})


def _is_foreign(document: Json) -> bool:
    return labels_of(document).get(MANAGED_BY) != MANAGER


def _class_of(document: Json) -> str:
    return "" if _is_foreign(document) else labels_of(document).get(GPU_CLASS, "")


def _holds_against(claim: Json, gpu_class: str) -> bool:
    return _is_foreign(claim) or _class_of(claim) not in {"", gpu_class}


def _count(spec: GpuSpec, nodes: Sequence[_Node], devices: _Devices, by_policy: Mapping[str, int]) -> ClassCapacity:
    if spec.gpu_class in by_policy:
        return ClassCapacity(spec.gpu_class, by_policy[spec.gpu_class])
    reachable, evidence = _reachable(spec, nodes)
    if spec.discover.get("by") == "slots":
        return _by_the_class(spec, reachable, evidence)
    real = [node for node in reachable if not is_virtual(node.raw)]
    if reachable and not real:
        evidence = "only virtual nodes would take it, and they advertise nothing: give the class a number of slots"
    if not real:
        return ClassCapacity(spec.gpu_class, 0, evidence=evidence)
    if spec.dra:
        return _by_devices(spec, real, devices)
    alike = [node for node in real if not _unlike(spec, node.raw)]
    numbers = [_slots(spec, node) for node in alike]
    if not sum(numbers):
        evidence = _shortage(spec, alike) if alike else _unlike(spec, real[0].raw)
    return ClassCapacity(spec.gpu_class, sum(numbers), max(numbers, default=0), evidence)


def _reachable(spec: GpuSpec, nodes: Sequence[_Node]) -> tuple[list[_Node], str]:
    """Return the nodes on which the class may land, or why there are none."""
    ready = [node for node in nodes if is_open(node.raw)]
    selected = [node for node in ready if is_selected(node.raw, spec.node_selector)]
    kept_off = [untolerated(node.raw, spec.tolerations) for node in selected]
    reachable = [node for node, taints in zip(selected, kept_off, strict=True) if not taints]
    if not ready:
        return [], "no node is Ready and takes Pods"
    if not selected:
        return [], "no node has the labels " + ", ".join(f"{key}={value}" for key, value in spec.node_selector.items())
    taints = sorted({taint for found in kept_off for taint in found})
    return reachable, "" if reachable else f"its nodes have taints that it does not tolerate: {', '.join(taints)}"


def _by_the_class(spec: GpuSpec, reachable: Sequence[_Node], evidence: str) -> ClassCapacity:
    """Virtual nodes advertise nothing: a number set by people counts wherever there is such a node at all."""
    number = int(spec.discover.get("slots") or 0)
    if not number:
        evidence = "nodes do not advertise it, and neither the class nor the cluster gives a number of slots"
    total = number if reachable else 0
    return ClassCapacity(spec.gpu_class, total, evidence="" if total else evidence)


def _unlike(spec: GpuSpec, node: Json) -> str:
    """Say why what the node calls by the class's resource is not what the class promises; empty if it is."""
    if promises_whole_cards(spec) and hands_out_shares(node):
        return _DIVIDED  # its Pods have an affinity that keeps them off
    if not spec.resource.startswith("nvidia.com/") or is_divided(spec, node):
        return ""
    labels = labels_of(node)
    strategy = labels.get(SHARING_STRATEGY, "")
    if spec.sharing in SHARED_BY:
        return f"its nodes share by {strategy}" if strategy not in {"", spec.sharing} else ""
    return _unlike_cards(spec, labels) if spec.resource == _WHOLE else ""


def _unlike_cards(spec: GpuSpec, labels: Mapping[str, str]) -> str:
    """The same for a class that takes devices by the name of whole cards, by what else its node is labelled with."""
    product = labels.get(_PRODUCT, "")
    if labels.get(SHARING_STRATEGY) in SHARED_BY or product.endswith("-SHARED") or _number(labels.get(_REPLICAS)) > 1:
        return _DIVIDED
    sliced = "-MIG-" in product
    if sliced and spec.sharing == "exclusive" and _PRODUCT not in spec.node_selector:
        return "its nodes offer MIG slices, and the class promises whole GPUs"
    return "its nodes offer whole GPUs, and the class promises MIG slices" if spec.sharing == "mig" and not sliced else ""


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _slots(spec: GpuSpec, node: _Node) -> int:
    """Return how many workloads of the class the node holds."""
    room = _room(spec, node)
    return min(room, shares(spec, node.raw, node.others(spec.gpu_class))) if is_divided(spec, node.raw) else room


def _room(spec: GpuSpec, node: _Node) -> int:
    left = node.left(spec.gpu_class)
    wanted = {name: amount for name, amount in needs(spec).items() if amount > 0}
    if is_divided(spec, node.raw):
        wanted = {name: amount for name, amount in wanted.items() if name not in COUNTED_BY_CARD}
    return max(int(min(left.get(name, Decimal(0)) // amount for name, amount in wanted.items())), 0)


def _by_devices(spec: GpuSpec, nodes: Sequence[_Node], devices: _Devices) -> ClassCapacity:
    try:
        claimable = devices.per_node(spec)
    except NotUnderstood as expression:
        evidence = f"devices cannot be counted by {expression}: give the class a number of slots"
        return ClassCapacity(spec.gpu_class, 0, evidence=evidence)
    rooms = [_room(spec, node) for node in nodes]
    numbers = [min(room, claimable[name_of(node.raw)]) for room, node in zip(rooms, nodes, strict=True)]
    # Devices of no node in particular go wherever there is room yet.
    anywhere = min(claimable[""], sum(rooms) - sum(numbers))
    total = sum(numbers) + anywhere
    evidence = "no free device of a ResourceSlice fits, or its node has no CPU and memory left"
    return ClassCapacity(spec.gpu_class, total, max(numbers, default=0), "" if total else evidence)


def _shortage(spec: GpuSpec, nodes: Sequence[_Node]) -> str:
    """Say which of the things that the class needs no node of its has: ever, or left over by others."""
    wanted = {name: amount for name, amount in needs(spec).items() if amount > 0}
    for name, amount in wanted.items():
        if name in COUNTED_BY_CARD and any(is_divided(spec, node.raw) for node in nodes):
            continue
        if all(node.given.get(name, Decimal(0)) < amount for node in nodes):
            return f"no node that it may use has {amount.normalize():f} of {name}"
    return "others hold what it needs on every node that it may use"
