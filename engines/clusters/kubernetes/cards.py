"""Cards that software divides: what nodes and Pods say of each card, and how many shares of a size still fit. Pure.

HAMi's node annotation and its Pod annotation are as in HAMi's docs/develop/protocol.md, the older form with commas and the newer
one in JSON; Alibaba Cloud's are as in its gpushare-scheduler-extender. What such a node calls allocatable is no number of cards.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from engines.clusters.base import GpuSpec
from engines.clusters.kubernetes.nodes import Json, allocatable, annotations_of, labels_of, requested
from engines.clusters.kubernetes.quantities import quantity

HAMI_NODE = "hami.io/node-nvidia-register"
HAMI_POD = "hami.io/vgpu-devices-allocated"
HAMI_RESOURCE = "nvidia.com/gpu"
HAMI_MEMORY, HAMI_PERCENT, HAMI_CORES = "nvidia.com/gpumem", "nvidia.com/gpumem-percentage", "nvidia.com/gpucores"
ALIYUN_MEMORY, ALIYUN_CARDS = "aliyun.com/gpu-mem", "aliyun.com/gpu-count"
ALIYUN_POD = "ALIYUN_COM_GPU_MEM_IDX"
COUNTED_BY_CARD = frozenset({HAMI_RESOURCE, HAMI_MEMORY, HAMI_PERCENT, HAMI_CORES, ALIYUN_MEMORY})
"""Resources that `shares` counts, so that nobody else looks for them in what is allocatable."""
SHARING_STRATEGY = "nvidia.com/gpu.sharing-strategy"
"""How a node hands out its cards, in the words of NVIDIA's GPU feature discovery; `none` or absent where one by one."""
SHARED_BY = ("time-slicing", "mps")
_WHOLE = "nvidia.com/gpu"


@dataclass(frozen=True)
class Card:
    """What is left of one card; memory in the maker's own unit (HAMi: MiB, Alibaba Cloud: GiB), cores in percent."""

    id: str
    memory: Decimal
    whole: Decimal  # its memory when nobody has any
    cores: Decimal = Decimal(100)
    splits: int = 1_000_000
    model: str = ""

    def less(self, memory: Decimal, cores: Decimal) -> "Card":
        """Return what is left once somebody has taken so much."""
        return replace(self, memory=self.memory - memory, cores=self.cores - cores, splits=self.splits - 1)


def promises_whole_cards(spec: GpuSpec) -> bool:
    """Tell whether what a workload of the class gets by its resource must be nobody else's at the same time.

    HAMi divides under the same name, but cards of its own.
    """
    return spec.resource == _WHOLE and spec.sharing not in {*SHARED_BY, "hami"}


def hands_out_shares(node: Json) -> bool:
    """Tell whether the node says that several Pods have each of its cards."""
    return labels_of(node).get(SHARING_STRATEGY, "") in SHARED_BY


def is_divided(spec: GpuSpec, node: Json) -> bool:
    """Tell whether only annotations say how much of the node's cards a workload of the class gets."""
    return spec.resource == ALIYUN_MEMORY or (spec.resource == HAMI_RESOURCE and HAMI_NODE in annotations_of(node))


def shares(spec: GpuSpec, node: Json, pods: Sequence[Json]) -> int:
    """Return how many workloads of the class the node's cards hold beside these Pods."""
    if spec.resource == ALIYUN_MEMORY:
        fitting = [int(card.memory // spec.count) for card in aliyun_cards(node, pods)] if spec.count else []
        return sum(max(each, 0) for each in fitting)
    return _groups([_hami_fitting(spec, card) for card in hami_cards(node, pods)], max(spec.count, 1))


def _hami_fitting(spec: GpuSpec, card: Card) -> int:
    """Return how many workloads one card holds; without a size HAMi gives all memory, without cores none in particular."""
    limits = spec.extra_limits
    percent = quantity(limits.get(HAMI_PERCENT, 100))
    memory = quantity(limits[HAMI_MEMORY]) if HAMI_MEMORY in limits else card.whole * percent / 100
    cores = quantity(limits.get(HAMI_CORES, 0))
    fits = [Decimal(card.splits)]
    fits += [card.memory // memory] if memory > 0 else [Decimal(0)]
    fits += [card.cores // cores] if cores > 0 else []
    return max(int(min(fits)), 0)


def _groups(fitting: Sequence[int], size: int) -> int:
    """Return how many workloads that take shares of `size` different cards fit, when each card holds so many."""
    most = sum(fitting) // size
    return next((number for number in range(most, 0, -1) if sum(min(each, number) for each in fitting) >= size * number), 0)


def hami_cards(node: Json, pods: Iterable[Json] = ()) -> list[Card]:
    """Return what is left of each healthy card that HAMi knows on the node."""
    cards = {card.id: card for card in _registered(annotations_of(node).get(HAMI_NODE, ""))}
    for pod in pods:
        for card, memory, cores in _hami_held(annotations_of(pod).get(HAMI_POD, "")):
            if card in cards:
                cards[card] = cards[card].less(memory, cores)
    return list(cards.values())


def _registered(annotation: str) -> list[Card]:
    if annotation.startswith("["):
        try:
            found = json.loads(annotation)
        except ValueError:
            return []
        devices = [each for each in found if isinstance(each, dict) and each.get("health")]
        keys = ("id", "count", "devmem", "devcore", "type")
        return [_card(*(each.get(key) for key in keys)) for each in devices]
    rows = [row.split(",") for row in annotation.split(":") if row]
    return [_card(*row[:5]) for row in rows if len(row) >= 7 and row[6] == "true"]


def _card(identity: object, count: object, memory: object, cores: object, model: object) -> Card:
    whole = quantity(memory)
    return Card(str(identity), whole, whole, quantity(cores), int(quantity(count)), str(model or ""))


def _hami_held(annotation: str) -> Iterable[tuple[str, Decimal, Decimal]]:
    """Read `UUID,type,memory,cores:` of each device, containers set apart by semicolons."""
    for row in annotation.replace(";", ":").split(":"):
        parts = row.split(",")
        if len(parts) >= 4:
            yield parts[0], quantity(parts[2]), quantity(parts[3])


def aliyun_cards(node: Json, pods: Iterable[Json] = ()) -> list[Card]:
    """Return what is left of each card; memory of Pods whose card is not known is taken where most is left."""
    given = allocatable(node)
    number = int(given.get(ALIYUN_CARDS, Decimal(0)))
    each_has = given.get(ALIYUN_MEMORY, Decimal(0)) / max(number, 1)
    cards = [Card(str(index), each_has, each_has) for index in range(number)]
    for pod in pods:
        memory = requested(pod).get(ALIYUN_MEMORY, Decimal(0))
        if memory and cards:
            index = annotations_of(pod).get(ALIYUN_POD, "")
            known = int(index) if index.isdecimal() and int(index) < number else None
            place = known if known is not None else max(range(number), key=lambda each: cards[each].memory)
            cards[place] = cards[place].less(memory, Decimal(0))
    return cards
