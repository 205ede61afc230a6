"""On premises first, then the cloud: move launches that have waited long enough, for tenants that may use it.

The cloud is another cluster, or the cloud pool of the same one.
"""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import DurationField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Now

from engines import hints, live
from engines.clusters import namespace_of
from engines.models import Capacity, Cluster, Instance, InstanceEvent, Volume
from engines.observe import explain, move
from engines.pools import can_mount
from engines.reasons import NO_MACHINE_FITS, Reason
from engines.sharing import lock_slots, others_want_or_hold
from engines.states import DesiredState, InstanceState
from tenants.models import open_for_work

log = logging.getLogger(__name__)

_ONPREM, _CLOUD = Cluster.Location.ONPREM, Cluster.Location.CLOUD


def overdue() -> QuerySet[Instance]:
    """Launches on premises that have waited as long as their tenant's policy says, the longest wait first.

    They wait for a slot, or have one and the cluster finds no machine for them all the same. Those whose data exists already
    stay in their cluster, for no other can mount it: they can only move to its cloud pool.
    """
    patience = ExpressionWrapper(F("tenant__burst_after_seconds") * timedelta(seconds=1), output_field=DurationField())
    in_line = Q(state=InstanceState.QUEUED, queued_at__lte=Now() - patience)
    unplaced = Q(state=InstanceState.PROVISIONING, reason__in=NO_MACHINE_FITS, state_since__lte=Now() - patience)
    here = Q(pool="", cluster__location=_ONPREM, volume__provisioned_at=None) & in_line
    in_pool = Q(pool=_ONPREM) & (in_line | unplaced)
    wished = Instance.objects.filter(open_for_work("tenant__"), desired_state=DesiredState.RUNNING, tenant__may_burst=True)
    return wished.filter(here | in_pool).order_by("queued_at", "pk")


def burst_overdue() -> None:
    """Move every overdue launch for which a cloud has a free slot."""
    for instance in overdue().select_related("tenant", "engine_version", "gpu_class", "cluster", "volume"):
        try:
            burst(instance)
        except Exception:  # one launch's trouble must not cost the others their turn
            log.exception("instance %s could not be moved to the cloud", instance.slug)


def burst(instance: Instance) -> Capacity | None:
    """Move a waiting launch to the cloud with most free slots of its class; None if there is none, or it waits no longer.

    Asks its cluster whether its data can come along, and says so where it cannot: ClusterUnavailable, ClusterError.
    """
    clouds = {each.pk for each in _clouds(instance) if _is_free(instance, each) and _may_go(instance, each)}
    return _move(instance, clouds) if clouds else None


def _clouds(instance: Instance) -> list[Capacity]:
    able = Q(cluster__enabled=True, cluster__kind=instance.engine_version.cluster_kind)
    found = Capacity.objects.filter(able, gpu_class=instance.gpu_class_id, slots__gt=0).select_related("cluster")
    return [each for each in found if each.location == _CLOUD and not each.cluster.is_silent]


def _may_go(instance: Instance, cloud: Capacity) -> bool:
    if cloud.cluster_id != instance.cluster_id:
        return instance.state == InstanceState.QUEUED and instance.volume.provisioned_at is None
    if can_mount(instance, cloud.pool):
        return True
    explain(instance, Reason.VOLUME_ELSEWHERE, f"no node of the pool {cloud.pool} can mount {instance.volume.ref.name}")
    return False


@transaction.atomic
def _move(instance: Instance, clouds: set[int]) -> Capacity | None:
    """Compare-and-swap on the wish that was read, under the lock of the slots here and there.

    Whoever admits it at the same moment finds it gone or has admitted it before.
    """
    clusters = set(Capacity.objects.filter(pk__in=clouds).values_list("cluster_id", flat=True))
    rows = lock_slots({instance.cluster_id, *clusters}, instance.gpu_class)
    target = max((row for row in rows if row.pk in clouds), key=_free, default=None)
    if target is None or not _is_free(instance, target) or not _waits(instance) or not _moved(instance, target):
        return None
    way = f"{instance.cluster.place(instance.pool)} → {target.cluster.place(target.pool)}"
    instance.log(InstanceEvent.Kind.WISH, Reason.BURST, evidence=way, generation=instance.generation + 1)
    if instance.state == InstanceState.PROVISIONING:
        # Its Pod has no machine here: it goes, and another is made there.
        move(Instance.objects.get(pk=instance.pk), InstanceState.STOPPING, reason=Reason.BURST)
    hints.reconcile_on_commit(instance.pk)
    live.announce_on_commit(instance)
    return target


def _is_free(instance: Instance, cloud: Capacity) -> bool:
    """Tell whether it has a slot for this one, that no other tenant's workload shares. Binding under `lock_slots` alone."""
    return _free(cloud) > 0 and not others_want_or_hold(
        tenant_id=instance.tenant_id, cluster_id=cloud.cluster_id, gpu_class=instance.gpu_class
    )


def _free(capacity: Capacity) -> int:
    """Count the slots that neither a workload has nor somebody waits for there."""
    held = Instance.objects.holding(**capacity.placement).count()
    return capacity.slots - held - Instance.objects.in_line().placed(**capacity.placement).count()


def _waits(instance: Instance) -> bool:
    """Lock the row if it is still what was read."""
    unmoved = {
        "state": instance.state,
        "desired_state": DesiredState.RUNNING,
        "generation": instance.generation,
        "cluster_id": instance.cluster_id,
        "pool": instance.pool,
    }
    waiting = Instance.objects.filter(state__in=[InstanceState.QUEUED, InstanceState.PROVISIONING])
    return waiting.select_for_update(no_key=True).filter(pk=instance.pk, **unmoved).first() is not None


def _moved(instance: Instance, target: Capacity) -> bool:
    """Move the instance as a newer wish, for whoever read the old place; to another cluster together with its unmade volume."""
    if target.cluster_id != instance.cluster_id:
        volume = Volume.objects.filter(pk=instance.volume_id, provisioned_at=None, state=Volume.State.ACTIVE)
        if not volume.update(cluster=target.cluster, namespace=namespace_of(target.cluster, instance.tenant.slug)):
            return False
    changes = {"cluster": target.cluster, "pool": target.pool, "generation": instance.generation + 1}
    return bool(Instance.objects.filter(pk=instance.pk).update(**changes, reason=Reason.BURST, evidence=""))
