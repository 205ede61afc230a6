"""The history of capacity: what there was, and how much of it was used."""

from datetime import timedelta

from billing.capacity import note_capacity
from billing.models import CapacityInterval
from engines.models import Capacity, Cluster, GpuClass
from tests.billing.facts import moment

NOW = moment("2026-03-10T10:00:00.5")


def told() -> list[tuple[int, str, str | None]]:
    rows = CapacityInterval.objects.order_by("pk")
    return [(row.slots, f"{row.starts_at:%T}", f"{row.ends_at:%T}" if row.ends_at else None) for row in rows]


def test_only_changes_are_noted(gpu_class: GpuClass, cluster: Cluster) -> None:
    assert note_capacity(now=NOW) == 1
    assert note_capacity(now=NOW + timedelta(minutes=1)) == 0
    Capacity.objects.update(slots=2)
    assert note_capacity(now=NOW + timedelta(minutes=2)) == 2
    Capacity.objects.update(slots=0)
    assert note_capacity(now=NOW + timedelta(minutes=3)) == 1
    assert told() == [(4, "10:00:00", "10:02:00"), (2, "10:02:00", "10:03:00")]


def test_two_changes_within_a_second_leave_the_last(gpu_class: GpuClass, cluster: Cluster) -> None:
    note_capacity(now=NOW)
    Capacity.objects.update(slots=2)
    note_capacity(now=NOW)
    assert told() == [(2, "10:00:00", None)]
