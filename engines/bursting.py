"""On premises first, then the cloud: move launches that have waited long enough, for tenants that may use it."""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import DurationField, ExpressionWrapper, F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from engines import hints, live
from engines.clusters import namespace_of
from engines.models import Capacity, Cluster, Instance, InstanceEvent, Volume
from engines.reasons import Reason
from engines.sharing import lock_slots, others_want_or_hold
from engines.states import DesiredState, InstanceState

log = logging.getLogger(__name__)


def overdue() -> QuerySet[Instance]:
    """Launches on premises that have waited as long as their tenant's policy says, the longest wait first.

    Those whose data exists already stay where it is: no other cluster can mount it.
    """
    patience = ExpressionWrapper(F("tenant__burst_after_seconds") * timedelta(seconds=1), output_field=DurationField())
    waiting = Instance.objects.in_line().filter(tenant__may_burst=True, cluster__location=Cluster.Location.ONPREM)
    return waiting.filter(volume__provisioned_at=None, queued_at__lte=Now() - patience).order_by("queued_at", "pk")


def burst_overdue() -> None:
    """Move every overdue launch for which a cloud has a free slot."""
    for instance in overdue().select_related("tenant", "engine_version", "gpu_class", "cluster", "volume"):
        try:
            burst(instance)
        except Exception:  # one launch's trouble must not cost the others their turn
            log.exception("instance %s could not be moved to the cloud", instance.slug)


@transaction.atomic
def burst(instance: Instance) -> Cluster | None:
    """Move a waiting launch to the cloud with most free slots of its class; None if there is none, or it waits no longer.

    Compare-and-swap on the wish that was read, under the lock of the slots of both clusters: whoever admits it at the same moment
    finds it gone or has admitted it before.
    """
    offers = _clouds(instance)
    slots = lock_slots({instance.cluster_id, *offers}, instance.gpu_class)
    free = {pk: _free(row) for pk, row in slots.items() if pk in offers and not _taken(instance, pk)}
    target = offers[max(free, key=lambda pk: free[pk])] if free else None
    if target is None or free[target.pk] <= 0 or not _waits(instance) or not _moved(instance, target):
        return None
    instance.events.create(
        kind=InstanceEvent.Kind.WISH,
        at=timezone.now(),
        reason=Reason.BURST,
        evidence=f"{instance.cluster} → {target}",
        generation=instance.generation + 1,
    )
    hints.reconcile_on_commit(instance.pk)
    live.announce_on_commit(instance)
    return target


def _clouds(instance: Instance) -> dict[int, Cluster]:
    clouds = Cluster.objects.filter(
        enabled=True,
        location=Cluster.Location.CLOUD,
        kind=instance.engine_version.cluster_kind,
        capacities__gpu_class=instance.gpu_class_id,
        capacities__slots__gt=0,
    )
    return {cluster.pk: cluster for cluster in clouds if not cluster.is_silent}


def _free(capacity: Capacity) -> int:
    """Count the slots that neither a workload has nor somebody waits for there."""
    there = {"cluster_id": capacity.cluster_id, "gpu_class_id": capacity.gpu_class_id}
    return capacity.slots - Instance.objects.holding(**there).count() - Instance.objects.in_line().filter(**there).count()


def _taken(instance: Instance, cluster_id: int) -> bool:
    return others_want_or_hold(tenant_id=instance.tenant_id, cluster_id=cluster_id, gpu_class=instance.gpu_class)


def _waits(instance: Instance) -> bool:
    """Lock the row if it is still what was read."""
    unmoved = {
        "state": InstanceState.QUEUED,
        "desired_state": DesiredState.RUNNING,
        "generation": instance.generation,
        "cluster_id": instance.cluster_id,
    }
    return Instance.objects.select_for_update(no_key=True).filter(pk=instance.pk, **unmoved).first() is not None


def _moved(instance: Instance, target: Cluster) -> bool:
    """Move the volume that nobody has made yet, and the instance with it: a newer wish, for whoever read the old place."""
    volume = Volume.objects.filter(pk=instance.volume_id, provisioned_at=None, state=Volume.State.ACTIVE)
    if not volume.update(cluster=target, namespace=namespace_of(target, instance.tenant.slug)):
        return False
    changes = {"cluster": target, "generation": instance.generation + 1, "reason": Reason.BURST, "evidence": ""}
    return bool(Instance.objects.filter(pk=instance.pk).update(**changes))
