"""How many slots a cluster has: said by the cluster, written down for the launch page and for admission."""

import logging
from collections.abc import Iterable

from django.db import transaction
from django.db.models import CharField, Count, ExpressionWrapper, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from engines.clusters.base import ClassCapacity
from engines.models import Capacity, Cluster, GpuClass, Instance
from engines.states import HOLDS_GPU

log = logging.getLogger(__name__)


@transaction.atomic
def record_capacity(cluster: Cluster, offered: Iterable[ClassCapacity]) -> None:
    """Make the cluster's rows what it offers now; a class or a pool that it no longer offers has no slots left.

    Instances that hold a slot keep it: fewer slots only admit fewer new ones.
    """
    list(Capacity.objects.select_for_update(of=("self",)).filter(cluster=cluster).order_by("pk"))  # in the order of all who lock
    counted = list(offered)
    known = dict(GpuClass.objects.filter(slug__in={each.gpu_class for each in counted}).values_list("slug", "pk"))
    no_longer = Capacity.objects.filter(cluster=cluster).exclude(slots=0)
    for each in counted:
        if each.gpu_class not in known:
            log.warning("cluster %s offers %s, which is no GPU class", cluster.slug, each.gpu_class)
            continue
        key = {"gpu_class_id": known[each.gpu_class], "pool": each.pool}
        no_longer = no_longer.exclude(**key)
        evidence = each.evidence[: Capacity.EVIDENCE_LENGTH]
        columns = {"slots": each.total, "largest_node": each.largest_node, "evidence": evidence}
        changed = Capacity.objects.filter(cluster=cluster, **key).exclude(**columns)
        if not changed.update(**columns):
            Capacity.objects.get_or_create(cluster=cluster, **key, defaults=columns)
    no_longer.update(slots=0, largest_node=0, evidence="")


def slots_taken() -> Coalesce:
    """Annotate capacities with the slots in use."""
    return _count(Instance.objects.filter(state__in=HOLDS_GPU))


def launches_waiting() -> Coalesce:
    """Annotate capacities with the launches that wait for a slot."""
    return _count(Instance.objects.in_line())


def _count(instances: QuerySet[Instance]) -> Coalesce:
    """Count as `InstanceQuerySet.placed` does."""
    there = Q(pool="") | Q(where="") | Q(pool=F("where"))
    outer = ExpressionWrapper(OuterRef("pool"), output_field=CharField())
    these = (
        instances.filter(cluster=OuterRef("cluster"), gpu_class=OuterRef("gpu_class")).alias(where=outer).filter(there).order_by()
    )
    return Coalesce(Subquery(these.values("cluster").annotate(count=Count("pk")).values("count")), 0)
