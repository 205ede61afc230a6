"""Whether more runs had a GPU of a class at once than there were slots of it: then facts or capacity are wrong. For operators.

Of all clusters and pools together, since an instance may have moved between them. Nothing is said of the time before the capacity
of a class was first noted.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from django.db.models import Q

from billing.models import CapacityInterval, UsageInterval


@dataclass(frozen=True, slots=True)
class Crowd:
    """So many runs had a slot of a GPU class during [starts_at, ends_at), and there were fewer."""

    gpu_class_id: int
    starts_at: datetime
    ends_at: datetime
    taken: int
    slots: int


Change = tuple[datetime, int, int]
"""From this moment on so many more are taken, and so many slots more are there."""


def crowds(start: datetime, end: datetime) -> list[Crowd]:
    """Return where there were too many within [start, end), by GPU class and time. Three queries."""
    lasting = Q(ends_at__isnull=True) | Q(ends_at__gt=start)
    usage = UsageInterval.objects.exclude(kind=UsageInterval.Kind.STORAGE).filter(lasting, starts_at__lt=end)
    capacity = CapacityInterval.objects.filter(lasting, starts_at__lt=end)
    changes: dict[int, list[Change]] = defaultdict(list)
    for gpu_class_id, begin, stop in usage.order_by().values_list("gpu_class_id", "starts_at", "ends_at"):
        changes[gpu_class_id or 0] += _of(max(begin, start), stop, taken=1)
    for gpu_class_id, begin, stop, slots in capacity.order_by().values_list("gpu_class_id", "starts_at", "ends_at", "slots"):
        changes[gpu_class_id] += _of(max(begin, start), stop, slots=slots)
    known = dict(CapacityInterval.objects.order_by("gpu_class", "-starts_at").values_list("gpu_class_id", "starts_at"))
    return [
        crowd
        for gpu_class_id in sorted(changes.keys() & known.keys())
        for crowd in _crowds(gpu_class_id, changes[gpu_class_id], max(start, known[gpu_class_id]), end)
    ]


def _of(begin: datetime, stop: datetime | None, *, taken: int = 0, slots: int = 0) -> list[Change]:
    return [(begin, taken, slots), *([(stop, -taken, -slots)] if stop else [])]


def _crowds(gpu_class_id: int, changes: list[Change], start: datetime, end: datetime) -> Iterator[Crowd]:
    """Yield the stretches with too many; those next to each other with equal numbers are one."""
    by_moment: dict[datetime, list[Change]] = defaultdict(list)
    for change in [*changes, (start, 0, 0), (end, 0, 0)]:
        by_moment[change[0]].append(change)
    taken = slots = 0
    found: Crowd | None = None
    for at, until in pairwise(sorted(by_moment)):
        taken += sum(change[1] for change in by_moment[at])
        slots += sum(change[2] for change in by_moment[at])
        is_crowded = taken > slots and start <= at < end
        if found and is_crowded and (found.taken, found.slots) == (taken, slots):
            found = Crowd(gpu_class_id, found.starts_at, until, taken, slots)
            continue
        if found:
            yield found
        found = Crowd(gpu_class_id, at, until, taken, slots) if is_crowded else None
    if found:
        yield found
