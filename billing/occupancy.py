"""What GPUs were there for, second by second: billed, taken for free and why, and idle. For operators and for advice.

From usage intervals and the history of capacity, clipped to [start, end); what lasts counts up to `end`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import DurationField, ExpressionWrapper, F, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce, Greatest, Least

from billing.models import CapacityInterval, UsageInterval


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds for which GPUs were taken, of one kind (UsageInterval.Kind); `key`: the fields asked for, in their order."""

    kind: str
    key: tuple[Any, ...]
    seconds: int


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Slots of one GPU class, in slot-seconds. `idle` below 0: more was taken than was known to be there."""

    gpu_class_id: int
    capacity: int
    billed: int
    free: int  # taken and not billed: starting up, and starts that failed

    @property
    def idle(self) -> int:
        return self.capacity - self.billed - self.free


def taken(scope: Q, start: datetime, end: datetime, *, by: Sequence[str] = ()) -> list[Taken]:
    """Add up for how long GPUs were taken, by kind and by fields of usage intervals: `owner`, `gpu_class`, `tag`, `instance`, ….

    What is free and why: the kinds `starting` and `failed`. One query.
    """
    usage = UsageInterval.objects.exclude(kind=UsageInterval.Kind.STORAGE).filter(scope)
    rows = _within(usage, start, end).order_by("kind", *by).values_list("kind", *by).annotate(length=Sum(_length(start, end)))
    return [Taken(kind, tuple(key), _seconds(length)) for kind, *key, length in rows]


def occupancy(start: datetime, end: datetime) -> list[Occupancy]:
    """Compare what there was with what was taken, by GPU class. Two queries."""
    slots = _within(CapacityInterval.objects.all(), start, end).order_by("gpu_class").values_list("gpu_class_id")
    weighed = ExpressionWrapper(_length(start, end) * F("slots"), output_field=DurationField())
    capacity = {pk: _seconds(length) for pk, length in slots.annotate(length=Sum(weighed))}
    used: dict[int, dict[bool, int]] = {}
    for each in taken(Q(), start, end, by=("gpu_class",)):
        is_billed = each.kind == UsageInterval.Kind.GPU
        of_class = used.setdefault(each.key[0], {True: 0, False: 0})
        of_class[is_billed] += each.seconds
    classes = sorted(capacity.keys() | used.keys())
    nothing = {True: 0, False: 0}
    return [Occupancy(pk, capacity.get(pk, 0), used.get(pk, nothing)[True], used.get(pk, nothing)[False]) for pk in classes]


def _within(rows: QuerySet[Any], start: datetime, end: datetime) -> QuerySet[Any]:
    return rows.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=start), starts_at__lt=end)


def _length(start: datetime, end: datetime) -> "ExpressionWrapper[Any]":
    """How long a row lasts within the two moments."""
    stop = Least(Coalesce("ends_at", Value(end)), Value(end))
    return ExpressionWrapper(stop - Greatest("starts_at", Value(start)), output_field=DurationField())


def _seconds(length: timedelta) -> int:
    return length // timedelta(seconds=1)
