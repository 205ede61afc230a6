"""How many slots a cluster has: said by the cluster, written down for the launch page and for admission."""

import logging
from collections.abc import Iterable

from django.db import transaction

from engines.clusters.base import ClassCapacity
from engines.models import Capacity, Cluster, GpuClass

log = logging.getLogger(__name__)


@transaction.atomic
def record_capacity(cluster: Cluster, offered: Iterable[ClassCapacity]) -> None:
    """Make the cluster's rows what it offers now; a class that it no longer offers has no slots left.

    Instances that hold a slot keep it: fewer slots only admit fewer new ones.
    """
    slots = {each.gpu_class: each.total for each in offered}
    known = dict(GpuClass.objects.filter(slug__in=slots).values_list("slug", "pk"))
    for slug, total in slots.items():
        if slug not in known:
            log.warning("cluster %s offers %s, which is no GPU class", cluster.slug, slug)
            continue
        changed = Capacity.objects.filter(cluster=cluster, gpu_class_id=known[slug]).exclude(slots=total)
        if not changed.update(slots=total):
            Capacity.objects.get_or_create(cluster=cluster, gpu_class_id=known[slug], defaults={"slots": total})
    Capacity.objects.filter(cluster=cluster).exclude(gpu_class_id__in=known.values()).exclude(slots=0).update(slots=0)
