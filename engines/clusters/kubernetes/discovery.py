"""GPU classes that a cluster's nodes would support, proposed in the shape of a catalog file. Pure: documents in, proposals out.

One proposal per kind of device: nodes that offer the same thing are one. CPU and memory are an even share of the smallest such
node, with a tenth left for the system. A proposal is a beginning: people choose names, prices and who may use it.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from engines.clusters.base import Caution, Proposal
from engines.clusters.kubernetes.cards import (
    ALIYUN_CARDS,
    ALIYUN_MEMORY,
    HAMI_MEMORY,
    HAMI_NODE,
    SHARING_STRATEGY,
    aliyun_cards,
    hami_cards,
)
from engines.clusters.kubernetes.devices import offered
from engines.clusters.kubernetes.nodes import Json, allocatable, annotations_of, is_virtual, labels_of, name_of
from engines.clusters.kubernetes.quantities import quantity
from engines.clusters.kubernetes.selecting import Device

_SLUG_LENGTH = 40
_PRODUCT, _MEMORY = "nvidia.com/gpu.product", "nvidia.com/gpu.memory"
_UNNAMED = "NVIDIA GPU"
_SHARES = {"time-slicing": "shared by turns", "mps": "an even part"}
_OTHER_MAKERS = {
    "amd.com/gpu": ("amd", "AMD GPU", "amd.com/gpu.product-name"),
    "gpu.intel.com/i915": ("intel", "Intel GPU", "gpu.intel.com/product"),
    "gpu.intel.com/xe": ("intel", "Intel GPU", "gpu.intel.com/product"),
}
_ACCELERATOR = re.compile(r"[a-z0-9.-]+/(v?gpu|mlu|dcu|npu|gcu|xpu|Ascend\w+|.*-gpu)", re.IGNORECASE)
_SYSTEM_TAINTS = (
    "node.kubernetes.io/",
    "node-role.kubernetes.io/",
    "node.cloudprovider.kubernetes.io/",
    "ToBeDeletedByClusterAutoscaler",
)


@dataclass(frozen=True)
class _Kind:
    """What makes nodes alike for a proposal."""

    name: str
    vendor: str
    summary: str
    resource: str = ""
    sharing: str = "exclusive"
    selector: tuple[tuple[str, str], ...] = ()
    by: str = "allocatable"
    count: int = 1
    memory_mib: int = field(default=0, compare=False)  # drivers differ by a few MiB
    limits: tuple[tuple[str, str], ...] = ()
    claim: tuple[str, str] = ("", "")  # device class and condition
    cautions: tuple[Caution, ...] = ()


@dataclass
class _Found:
    """The nodes of a kind, and how many workloads each would hold."""

    nodes: list[Json] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)


def propose(nodes: Iterable[Json], resource_slices: Iterable[Json] = ()) -> list[Proposal]:
    """Propose a class for everything that Node and ResourceSlice documents advertise, by name. Slugs are the same each time."""
    known = {name_of(each): each for each in nodes}
    found: dict[_Kind, _Found] = {}
    for node in known.values():
        for kind, slots in _kinds_of(node):
            _add(found, kind, node, slots)
    for device in offered(resource_slices):
        if device.node in known:
            _add(found, _claimed_kind(device), known[device.node], 1)
    proposals = [_proposal(kind, each) for kind, each in found.items()]
    return sorted(proposals, key=lambda each: each.slug)


def _add(found: dict[_Kind, _Found], kind: _Kind, node: Json, slots: int) -> None:
    there = found.setdefault(kind, _Found())
    if there.nodes and there.nodes[-1] is node:
        there.slots[-1] += slots
    else:
        there.nodes.append(node)
        there.slots.append(slots)


def _kinds_of(node: Json) -> Iterator[tuple[_Kind, int]]:
    """Yield what the node offers and how many of it."""
    if is_virtual(node):
        yield _virtual(node), 0
        return
    if HAMI_NODE in annotations_of(node):
        yield from _by_hami(node)
    given = {name: int(amount) for name, amount in allocatable(node).items() if amount > 0}
    if ALIYUN_MEMORY in given and ALIYUN_CARDS in given:
        yield _by_aliyun(node)
    for resource, number in given.items():
        if resource.startswith("nvidia.com/"):
            if HAMI_NODE not in annotations_of(node) and (kind := _nvidia(node, resource)):
                yield kind, number
        elif resource in _OTHER_MAKERS or _ACCELERATOR.fullmatch(resource):
            yield _of_another_maker(node, resource), number


def _nvidia(node: Json, resource: str) -> _Kind | None:
    labels = labels_of(node)
    product = labels.get(_PRODUCT, "")
    strategy = _strategy_of(labels, resource, product)
    if profile := re.fullmatch(r"nvidia\.com/mig-([0-9]+g\.([0-9]+)gb[a-z0-9.+-]*)", resource.removesuffix(".shared")):
        return _slice(labels, resource, profile[1], int(profile[2]) * 1024, strategy)
    if resource not in {"nvidia.com/gpu", "nvidia.com/gpu.shared"}:
        return None
    card = _spoken(product.partition("-MIG-")[0].removesuffix("-SHARED")) or _UNNAMED
    memory = int(quantity(labels.get(_MEMORY)))
    selector: tuple[tuple[str, str], ...] = ((_PRODUCT, product),) if product else ()
    cautions = _cautions(product, strategy)
    if strategy:
        selector += ((SHARING_STRATEGY, strategy),) if labels.get(SHARING_STRATEGY) == strategy else ()
        replicas = int(quantity(labels.get("nvidia.com/gpu.replicas", 1)))
        part = memory // max(replicas, 1) if strategy == "mps" else 0
        name, summary = f"{card}, {_SHARES[strategy]}", f"One of {replicas} shares of a card."
        return _Kind(name, "nvidia", summary, resource, strategy, selector, "replicas", memory_mib=part, cautions=cautions)
    if "-MIG-" in product:
        profile_name = product.partition("-MIG-")[2]
        return _Kind(
            f"{card}, slice {profile_name}", "nvidia", "A part of a card with memory of its own.", resource, "mig", selector,
            "product-label", memory_mib=memory, cautions=cautions,
        )  # fmt: skip
    by = "product-label" if product else "allocatable"
    return _Kind(card, "nvidia", "A whole card.", resource, selector=selector, by=by, memory_mib=memory, cautions=cautions)


def _strategy_of(labels: Mapping[str, str], resource: str, product: str) -> str:
    told = labels.get(SHARING_STRATEGY, "")
    if told in _SHARES:
        return told
    return "time-slicing" if resource.endswith(".shared") or product.endswith("-SHARED") else ""


def _slice(labels: Mapping[str, str], resource: str, profile: str, memory: int, strategy: str) -> _Kind:
    card = _spoken(labels.get(_PRODUCT, "").removesuffix("-SHARED")) or _UNNAMED
    selector = (("nvidia.com/mig.strategy", "mixed"),) if labels.get("nvidia.com/mig.strategy") == "mixed" else ()
    if strategy:
        summary, cautions = "Takes turns on a part of a card.", (Caution.NOT_ISOLATED,)
        name = f"{card}, slice {profile}, {_SHARES[strategy]}"
        return _Kind(name, "nvidia", summary, resource, strategy, selector, cautions=cautions)
    summary = "A part of a card with memory of its own."
    return _Kind(f"{card}, slice {profile}", "nvidia", summary, resource, "mig", selector, memory_mib=memory)


def _cautions(product: str, strategy: str) -> tuple[Caution, ...]:
    found = []
    if not product:
        found.append(Caution.NO_PRODUCT)
    if "GeForce" in product:
        found.append(Caution.CONSUMER_LICENCE)
    if strategy == "time-slicing":
        found.append(Caution.NOT_ISOLATED)
    if strategy == "mps":
        found.append(Caution.EXPERIMENTAL)
    return tuple(found)


def _by_hami(node: Json) -> Iterator[tuple[_Kind, int]]:
    """Propose a half of each model, which two engines share."""
    for card in hami_cards(node):
        half = int(card.whole) // 2
        name = _spoken(card.model) or _UNNAMED
        limits = ((HAMI_MEMORY, str(half)), ("nvidia.com/gpucores", "50"))
        summary, cautions = "Half of a card's memory and compute, cut in software by HAMi.", (Caution.CUT_IN_SOFTWARE,)
        kind = _Kind(
            f"{name}, half", "nvidia", summary, "nvidia.com/gpu", "hami", by="hami-register", limits=limits, cautions=cautions
        )
        yield replace(kind, memory_mib=half), 2


def _by_aliyun(node: Json) -> tuple[_Kind, int]:
    cards = aliyun_cards(node)
    half = max(int(cards[0].whole) // 2, 1)
    kind = _Kind(
        f"NVIDIA on ACK, {half} GiB", "nvidia", "Half of a card's memory, shared by Alibaba Cloud's ACK.", ALIYUN_MEMORY,
        "time-slicing", count=half, memory_mib=half * 1024, cautions=(Caution.NOT_ISOLATED,),
    )  # fmt: skip
    return kind, sum(int(card.whole // half) for card in cards)


def _of_another_maker(node: Json, resource: str) -> _Kind:
    vendor, name, label = _OTHER_MAKERS.get(resource, ("other", resource, ""))
    product = labels_of(node).get(label, "")
    selector = ((label, product),) if product else ()
    cautions = (Caution.ANOTHER_IMAGE,) if product else (Caution.ANOTHER_IMAGE, Caution.NO_PRODUCT)
    by = "product-label" if product else "allocatable"
    return _Kind(_spoken(product) or name, vendor, "A whole device.", resource, selector=selector, by=by, cautions=cautions)


def _virtual(node: Json) -> _Kind:
    provider = next((each.get("value", "") for each in _taints(node) if each.get("key") == "virtual-kubelet.io/provider"), "")
    name = f"GPU in the cloud ({provider or 'virtual node'})"
    return _Kind(
        name, "nvidia", "Made on demand, paid while it runs.", "nvidia.com/gpu", by="slots", cautions=(Caution.BY_POLICY,)
    )


def _claimed_kind(device: Device) -> _Kind:
    """Name a device by its product, and ask for that product through the driver's device class."""
    domain = device.driver
    kind, product = device.attributes.get(f"{domain}/type"), str(device.attributes.get(f"{domain}/productName", ""))
    profile = str(device.attributes.get(f"{domain}/profile", ""))
    mig = kind == "mig"
    conditions = {"productName": product} | ({"profile": profile} if mig else {})
    cel = " && ".join(f"device.attributes['{domain}'].{name} == '{value}'" for name, value in conditions.items() if value)
    vendor = next((each for each in ("nvidia", "amd", "intel") if each in domain), "other")
    memory = int(quantity(device.capacity.get(f"{domain}/memory", "0")) // 1024**2)
    name = (product or device.driver) + (f", slice {profile}" if mig else "")
    return _Kind(
        name, vendor, "Claimed by dynamic resource allocation.", sharing="mig" if mig else "exclusive", by="resource-slices",
        memory_mib=memory, claim=("mig.nvidia.com" if mig else domain, cel), cautions=_cautions(product or "-", ""),
    )  # fmt: skip


def _proposal(kind: _Kind, found: _Found) -> Proposal:
    cpu, ram = _share(found)
    claim = {"name": _slug(kind.name), "device_class": kind.claim[0], "cel": [kind.claim[1]] if kind.claim[1] else []}
    entry: dict[str, Any] = {
        "slug": _slug(kind.name + (" dra" if kind.claim[0] else "")),
        "name": kind.name[:80],
        "summary": kind.summary,
        "vendor": kind.vendor,
        "sharing": kind.sharing,
        "count": kind.count,
        "node_selector": dict(kind.selector),
        "tolerations": _tolerations(found.nodes),
        "cpu_millis": cpu,
        "ram_mib": ram,
        "discover": {"by": kind.by},
    }
    if kind.memory_mib:
        entry["memory_mib"] = kind.memory_mib
    if kind.limits:
        entry["extra_limits"] = dict(kind.limits)
    entry |= {"dra": {"first_available": [claim]}} if kind.claim[0] else {"resource": kind.resource}
    return Proposal(entry["slug"], entry, sum(found.slots), tuple(name_of(each) for each in found.nodes), kind.cautions)


def _share(found: _Found) -> tuple[int, int]:
    """Return thousandths of a core and MiB for each of the workloads that the tightest node holds."""
    shares = [
        (int(given.get("cpu", Decimal(0)) * 900 / slots), int(given.get("memory", Decimal(0)) * 9 / 10 / slots / 1024**2))
        for node, slots in zip(found.nodes, found.slots, strict=True)
        for given in [allocatable(node)]
        if slots
    ]
    cpu, ram = min((each[0] for each in shares), default=4000), min((each[1] for each in shares), default=16384)
    return max(cpu // 100 * 100, 100), max(ram // 256 * 256, 256)


def _taints(node: Json) -> Sequence[Mapping[str, str]]:
    return (node.get("spec") or {}).get("taints") or ()


def _tolerations(nodes: Iterable[Json]) -> list[dict[str, str]]:
    """Tolerate what keeps other Pods off these nodes, but for taints that Kubernetes itself sets."""
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for taint in (each for node in nodes for each in _taints(node)):
        key, value, effect = taint.get("key", ""), taint.get("value", ""), taint.get("effect", "")
        if effect == "PreferNoSchedule" or key.startswith(_SYSTEM_TAINTS):
            continue
        equal = {"operator": "Equal", "value": value} if value else {"operator": "Exists"}
        found[key, value, effect] = {"key": key, **equal, "effect": effect}
    return list(found.values())


def _spoken(product: str) -> str:
    """Write a product's label as people would."""
    return " ".join(product.replace("-", " ").replace("_", " ").split())


def _slug(name: str) -> str:
    """Return a legal slug for the name; a long one is cut and told apart by a digest."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if len(slug) <= _SLUG_LENGTH:
        return slug
    digest = hashlib.sha256(slug.encode()).hexdigest()[:6]
    return f"{slug[: _SLUG_LENGTH - 7].strip('-')}-{digest}"
