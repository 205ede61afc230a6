"""How much capacity there was: the history of engines' Capacity, which knows the present alone."""

from datetime import datetime

from django.db import transaction

from billing import locks
from billing.models import CapacityInterval
from engines.models import Capacity


@transaction.atomic
def note_capacity(*, now: datetime) -> int:
    """Write down from now on what capacity is now; return how many rows that changed. May be repeated, and run twice at once."""
    locks.own_capacity()
    now = now.replace(microsecond=0)
    present = {(row.cluster_id, row.gpu_class_id, row.pool): row.slots for row in Capacity.objects.all() if row.slots}
    lasting = {(row.cluster_id, row.gpu_class_id, row.pool): row for row in CapacityInterval.objects.filter(ends_at=None)}
    over = [row for place, row in lasting.items() if present.get(place) != row.slots]
    # What began in this very second is as good as never there.
    CapacityInterval.objects.filter(pk__in=[row.pk for row in over], starts_at__gte=now).delete()
    CapacityInterval.objects.filter(pk__in=[row.pk for row in over]).update(ends_at=now)
    kept = {place for place, row in lasting.items() if row not in over}
    fresh = [
        CapacityInterval(cluster_id=cluster, gpu_class_id=gpu_class, pool=pool, slots=slots, starts_at=now)
        for (cluster, gpu_class, pool), slots in sorted(present.items())
        if (cluster, gpu_class, pool) not in kept
    ]
    CapacityInterval.objects.bulk_create(fresh)
    return len(over) + len(fresh)
