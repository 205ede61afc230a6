"""What the operators' dashboard shows: a handful of queries, however many rows there are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Min, Q
from django.db.models.functions import Greatest

from engines.capacity import launches_waiting, slots_taken
from engines.models import Capacity, Cluster, Instance, InstanceEvent
from engines.reasons import EXPLANATIONS, Reason
from engines.states import InstanceState


@dataclass(frozen=True)
class Queue:
    """Launches that wait for a GPU of one class."""

    gpu_class_id: int
    gpu_class: str
    length: int
    oldest_at: datetime


@dataclass(frozen=True)
class Failures:
    """How often instances failed for one reason."""

    reason: Reason
    count: int

    @property
    def sentence(self) -> str:
        return str(EXPLANATIONS[self.reason].sentence)


def instances_by_state() -> list[tuple[InstanceState, int]]:
    """Count the instances that are not deleted, in the order of the life cycle; states without any are left out."""
    rows = Instance.objects.exclude(state=InstanceState.DELETED).order_by().values("state").annotate(count=Count("pk"))
    counts = {row["state"]: row["count"] for row in rows}
    return [(state, counts[state]) for state in InstanceState if state in counts]


def capacities() -> list[Any]:
    """Every class of every cluster with its slots, annotated with those `taken` and `free`, and the launches `waiting`.

    `is_in_sight` if there is a slot, or somebody has or wants one.
    """
    rows = Capacity.objects.annotate(taken=slots_taken(), waiting=launches_waiting())
    in_sight = Q(slots__gt=0) | Q(taken__gt=0) | Q(waiting__gt=0)
    rows = rows.annotate(free=Greatest(F("slots") - F("taken"), 0), is_in_sight=in_sight)
    return list(rows.select_related("cluster", "gpu_class").order_by("cluster__name", "gpu_class__name", "-pool"))


def queues() -> list[Queue]:
    """Who waits for which class, the longest wait first."""
    rows = (
        Instance.objects.filter(state=InstanceState.QUEUED)
        .order_by()
        .values("gpu_class_id", "gpu_class__name")
        .annotate(length=Count("pk"), oldest_at=Min("queued_at"))
        .order_by("oldest_at")
    )
    return [Queue(row["gpu_class_id"], row["gpu_class__name"], row["length"], row["oldest_at"]) for row in rows]


def failures_since(moment: datetime) -> list[Failures]:
    """Count the failures from then on, the most frequent reason first."""
    failed = InstanceEvent.objects.filter(kind=InstanceEvent.Kind.TRANSITION, new_state=InstanceState.FAILED, at__gte=moment)
    rows = failed.order_by().values("reason").annotate(count=Count("pk")).order_by("-count", "reason")
    return [Failures(Reason(row["reason"]), row["count"]) for row in rows]


def watched_clusters() -> list[Cluster]:
    """All clusters, the one that was silent longest first."""
    return list(Cluster.objects.order_by("watched_at", "name"))
