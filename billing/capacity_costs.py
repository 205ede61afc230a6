"""What GPUs cost that were there, and what of it was used: by cluster, GPU class and day, in slot-seconds and at list prices.

What is taken and what is idle add up to all there was, to the second and to the last digit. A slot is worth the list price of its
class in force at the time; time for which there was none has no value, and is told apart.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.db import connection

from billing.calendars import Calendar
from billing.models import CapacityInterval, Price, UsageInterval
from billing.money import Money
from billing.rating import amount_of
from billing.windows import Window
from engines.models import Cluster, GpuClass, Instance

_LENGTH = """sum(extract(epoch FROM least(coalesce(known.ends_at, cell.ends_at), cell.ends_at)
        - greatest(known.starts_at, cell.starts_at)){weight})::bigint"""
_CELLS = "unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY AS cell (starts_at, ends_at, number)"
_OVERLAPS = "known.starts_at < cell.ends_at AND (known.ends_at IS NULL OR known.ends_at > cell.starts_at)"
_THERE = f"""
SELECT cell.number, known.cluster_id, known.gpu_class_id, 'capacity', {_LENGTH.format(weight=" * known.slots")}
FROM {_CELLS} JOIN {CapacityInterval._meta.db_table} AS known ON {_OVERLAPS} GROUP BY 1, 2, 3
"""  # noqa: S608, SLF001 - names of our own tables
_TAKEN = f"""
SELECT cell.number, instance.cluster_id, known.gpu_class_id,
    CASE known.kind WHEN 'gpu' THEN 'billed' ELSE 'free' END, {_LENGTH.format(weight="")}
FROM {_CELLS} JOIN {UsageInterval._meta.db_table} AS known ON {_OVERLAPS} AND known.kind <> 'storage'
JOIN {Instance._meta.db_table} AS instance ON instance.id = known.instance_id GROUP BY 1, 2, 3, 4
"""  # noqa: S608, SLF001 - same


@dataclass(slots=True)
class Share:
    """Slot-seconds, and what they are worth."""

    seconds: int = 0
    amount: Decimal = Decimal(0)

    def __add__(self, other: "Share") -> "Share":
        return Share(self.seconds + other.seconds, self.amount + other.amount)

    def __sub__(self, other: "Share") -> "Share":
        return Share(self.seconds - other.seconds, self.amount - other.amount)

    @property
    def hours(self) -> Decimal:
        """Slot-hours, with two decimals."""
        return (Decimal(self.seconds) / 3600).quantize(Decimal("0.01"))

    @property
    def money(self) -> Money:
        """Its worth, in the currency of list prices."""
        return Money(self.amount, settings.DEFAULT_CURRENCY)


@dataclass(slots=True)
class Used:
    """What there was, and what became of it."""

    capacity: Share = field(default_factory=Share)
    billed: Share = field(default_factory=Share)
    free: Share = field(default_factory=Share)  # taken and charged to nobody: starting up, and starts that failed
    unpriced_seconds: int = 0  # of the capacity, without a list price

    def __add__(self, other: "Used") -> "Used":
        return Used(
            self.capacity + other.capacity,
            self.billed + other.billed,
            self.free + other.free,
            self.unpriced_seconds + other.unpriced_seconds,
        )

    @property
    def allocated(self) -> Share:
        """All that was taken."""
        return self.billed + self.free

    @property
    def idle(self) -> Share:
        """What nobody had; below 0 where more was taken than was known to be there."""
        return self.capacity - self.allocated

    def portion(self, share: Share) -> int:
        """How much of the larger of capacity and what was taken, in thousandths; for bars."""
        whole = max(self.capacity.seconds, self.allocated.seconds)
        return max(0, share.seconds) * 1000 // whole if whole else 0

    @property
    def billed_millis(self) -> int:
        """Where a bar of 1000 ends for what was charged."""
        return self.portion(self.billed)

    @property
    def allocated_millis(self) -> int:
        """Where it ends for all that was taken."""
        return self.portion(self.allocated)

    @property
    def idle_percent(self) -> int:
        """Idle of all there was."""
        return max(0, self.idle.seconds) * 100 // self.capacity.seconds if self.capacity.seconds else 0


@dataclass(frozen=True, slots=True)
class Place:
    """A GPU class in a cluster, day by day; days of which nothing is known are missing."""

    cluster: Cluster
    gpu_class: GpuClass
    days: dict[date, Used]

    @property
    def total(self) -> Used:
        """All days together."""
        return sum(self.days.values(), Used())


@dataclass(frozen=True, slots=True)
class _Cell:
    """A day, or the part of it between two changes of list prices."""

    day: date
    starts_at: datetime
    ends_at: datetime


def capacity_costs(window: Window, calendar: Calendar, *, now: datetime) -> list[Place]:
    """Tell what there was and what was taken, up to now. Five queries.

    An instance's time is told where the instance is now: one that has moved takes its past along.
    """
    prices = list(Price.objects.filter(tenant=None, gpu_class__isnull=False, currency=settings.DEFAULT_CURRENCY))
    found = list(_cells(window, calendar, prices, now.replace(microsecond=0)))
    classes, clusters = GpuClass.objects.in_bulk(), Cluster.objects.in_bulk()
    places: dict[tuple[int, int], Place] = {}
    for number, cluster_id, gpu_class_id, what, seconds in _measured(found):
        cell, gpu_class = found[number - 1], classes[gpu_class_id]
        place = places.setdefault((cluster_id, gpu_class_id), Place(clusters[cluster_id], gpu_class, {}))
        used = place.days.setdefault(cell.day, Used())
        per_hour = next((price.per_hour for price in prices if _applies(price, gpu_class_id, cell.starts_at)), None)
        share = Share(seconds, Decimal(0) if per_hour is None else amount_of(per_hour, seconds, gpu_class.billed_milli))
        setattr(used, what, getattr(used, what) + share)
        if per_hour is None and what == "capacity":
            used.unpriced_seconds += seconds
    for place in places.values():
        ordered = sorted(place.days.items())
        place.days.clear()
        place.days.update(ordered)
    return sorted(places.values(), key=lambda each: (each.cluster.name, each.gpu_class.name))


def _cells(window: Window, calendar: Calendar, prices: Iterable[Price], until: datetime) -> Iterator[_Cell]:
    start, end = window.moments(calendar)
    end = min(end, until)
    changes = {at for price in prices for at in (price.starts_at, price.ends_at) if at is not None and start < at < end}
    bounds = sorted({start, *calendar.midnights(start, end), *changes, end})
    for begin, stop in pairwise(bounds):
        if begin < end:
            yield _Cell(calendar.day_of(begin), begin, stop)


def _measured(found: list[_Cell]) -> list[tuple[Any, ...]]:
    """Return number of the cell from 1 on, cluster, GPU class, field of `Used`, slot-seconds."""
    if not found:
        return []
    parameters = {"starts": [cell.starts_at for cell in found], "ends": [cell.ends_at for cell in found]}
    rows: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        for statement in (_THERE, _TAKEN):
            cursor.execute(statement, parameters)
            rows += cursor.fetchall()
    return rows


def _applies(price: Price, gpu_class_id: int, at: datetime) -> bool:
    return price.gpu_class_id == gpu_class_id and price.span.holds(at)
