"""Wish → cluster: the only caller of what changes a cluster. Load, act, record; no transaction around the network."""

import logging
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from engines.clusters import get_cluster, pools_of
from engines.clusters.base import ClusterError, ClusterUnavailable, Observation, StaleEpoch
from engines.errors import StaleState
from engines.models import Cluster, Instance, Volume, VolumeFact
from engines.observe import explain, fail, move, note, observe, wake_next
from engines.pools import first_pool
from engines.reasons import RELEASES, Reason
from engines.sharing import lock_slots, others_hold
from engines.states import COMING_UP, PHASE_LIMIT_SECONDS, DesiredState, InstanceState, Step, next_step
from engines.volume_facts import note_volume
from engines.workloads import workload_spec

log = logging.getLogger(__name__)
S = InstanceState
# A wish takes at most: rest, queue, start. More means that wishes change under our hands; the next hint goes on.
MAX_STEPS = 6


def reconcile(instance_id: UUID | str) -> bool:
    """Take steps from what is towards what is wished; False if somebody interfered so often that it must be tried again.

    May run twice at once and may die anywhere: every step is compare-and-swap on the row and idempotent on the cluster.
    ClusterUnavailable passes through, with nothing lost and its words in the timeline.
    """
    for _ in range(MAX_STEPS):
        instance = _load(instance_id)
        if instance is None:
            return True
        step = next_step(instance.state, instance.desired_state, restart_due=instance.restart_due, retry_due=instance.retry_due)
        try:
            if not _STEPS[step](instance):
                return True
        except (StaleState, StaleEpoch):
            continue
        except ClusterUnavailable as away:
            note(instance, Reason.CLUSTER_UNAVAILABLE, str(away))
            raise
        except ClusterError as refusal:
            note(instance, refusal.reason, str(refusal))
            return True  # it would not stop or be deleted: the sweep asks again, and the deadline forces it
    return False


def _load(instance_id: UUID | str) -> Instance | None:
    rows = Instance.objects.select_related("tenant", "engine_version__engine", "gpu_class", "cluster", "volume")
    return rows.filter(pk=instance_id).first()


# Each step returns whether another step may follow at once.


def _nothing(_instance: Instance) -> bool:
    return False


def _queue(instance: Instance) -> bool:
    """Go to the end of the line, on premises first; what was stopped to move to the cloud keeps its place, in both senses."""
    moves_on = instance.reason == Reason.BURST
    queued_at, pool = (instance.queued_at, instance.pool) if moves_on else (timezone.now(), first_pool(instance))
    move(instance, S.QUEUED, reason=Reason.QUEUED, queued_at=queued_at, pool=pool)
    return True


def _start(instance: Instance) -> bool:
    """Take a slot, first come first served, then apply."""
    if instance.pool not in pools_of(instance.cluster):
        return _find_pool(instance)
    if not _admitted(instance):
        return False
    again = _apply(instance)
    wake_next(instance)  # whoever frees several slots wakes only the first in line
    return again


def _find_pool(instance: Instance) -> bool:
    """Place what lined up before its cluster's nodes were divided, or while they still were."""
    unmoved = Instance.objects.filter(pk=instance.pk, state=instance.state, generation=instance.generation)
    unmoved.update(pool=first_pool(instance))
    return True


def _admitted(instance: Instance) -> bool:
    if not instance.tenant.is_open:
        return False  # it keeps nobody else waiting, and is about to be cancelled
    with transaction.atomic():
        rows = lock_slots({instance.cluster_id}, instance.gpu_class)
        if others_hold(tenant_id=instance.tenant_id, cluster_id=instance.cluster_id, gpu_class=instance.gpu_class):
            explain(instance, Reason.SHARED_GPU_TAKEN)
            return False
        slots = sum(row.slots for row in rows if row.pool == instance.pool)
        ahead = Instance.objects.ahead_of(instance).count()
        taken = Instance.objects.holding(**instance.placement).count()
        if taken + ahead >= slots:
            if instance.reason != Reason.VOLUME_ELSEWHERE:  # which says more: why it does not go where slots are free
                explain(instance, Reason.NO_CAPACITY)
            return False
        move(
            instance,
            S.PROVISIONING,
            reason=Reason.ADMITTED,
            applied_generation=instance.generation,
            pool=instance.pool,  # as read, for it is applied so, even if the cluster was divided a moment ago
            run_id="",
            upstream="",
            ready_at=None,
        )
    return True


def _apply(instance: Instance) -> bool:
    """Ask the cluster to run the admitted wish; a refusal settles it as failed."""
    cluster = get_cluster(instance.cluster)
    try:
        _provision_volume(instance)
        seen = cluster.apply(workload_spec(instance))
    except ClusterError as refusal:
        fail(instance, refusal.reason, str(refusal))
    else:
        # What ended while nobody watched would otherwise be applied, in vain, until its deadline.
        _write_down(instance, seen)
    return False


def _write_down(instance: Instance, seen: Observation | None) -> None:
    """Follow what the cluster said in its answer; where it said nothing, the watcher will see."""
    if seen is not None:
        observe(instance.cluster, seen)


def _provision_volume(instance: Instance) -> None:
    """Make the volume once; one that was made and is gone is a loss, which `apply` reports."""
    volume = instance.volume
    if volume.provisioned_at is None:
        get_cluster(instance.cluster).ensure_volume(volume.ref, tenant=instance.tenant.slug, size_gib=volume.size_gib)
        unmade = Volume.objects.filter(pk=volume.pk, cluster_id=volume.cluster_id, provisioned_at=None)
        now = timezone.now()
        with transaction.atomic():
            if unmade.update(provisioned_at=now):
                note_volume(volume, VolumeFact.Kind.PROVISIONED, at=now, tag=instance.tag)
    Volume.objects.filter(pk=volume.pk).exclude(written_by=instance.engine_version).update(written_by=instance.engine_version)


def _stop(instance: Instance) -> bool:
    if instance.state != S.STOPPING:
        move(instance, S.STOPPING, reason=_stop_reason(instance))
    cluster = get_cluster(instance.cluster)
    seen = cluster.stop(instance.workload, epoch=instance.stop_epoch, grace_seconds=settings.STOP_GRACE_SECONDS)
    _write_down(instance, seen)
    return False


def _stop_reason(instance: Instance) -> Reason:
    if instance.desired_state == DesiredState.RUNNING:
        return Reason.RESTARTED
    if instance.wish_reason in RELEASES:
        return Reason(instance.wish_reason)
    return Reason.CANCELLED if instance.state in COMING_UP else Reason.PAUSED


def _rest(instance: Instance) -> bool:
    """Nothing runs, so the wish to stop is fulfilled at once."""
    move(instance, S.STOPPED, reason=_stop_reason(instance))
    return True


def _delete(instance: Instance) -> bool:
    if instance.state != S.DELETING:
        move(instance, S.DELETING, reason=Reason.DELETED)
    cluster = get_cluster(instance.cluster)
    seen = cluster.delete(instance.workload, epoch=instance.generation, grace_seconds=settings.STOP_GRACE_SECONDS)
    _write_down(instance, seen)
    return False


def remove_stray(instance_id: UUID | str) -> None:
    """Delete once more what a late call began for an instance that is deleted; its row does not change any more."""
    instance = _load(instance_id)
    if instance is not None and instance.state == S.DELETED:
        seen = get_cluster(instance.cluster).delete(instance.workload, epoch=instance.generation, grace_seconds=0)
        _write_down(instance, seen)


_STEPS: dict[Step, Callable[[Instance], bool]] = {
    Step.NOTHING: _nothing,
    Step.QUEUE: _queue,
    Step.START: _start,
    Step.APPLY: _apply,
    Step.STOP: _stop,
    Step.REST: _rest,
    Step.DELETE: _delete,
}


def expire_deadlines(cluster: Cluster) -> None:
    """End every phase of this cluster's instances that has lasted longer than it may.

    A cluster that does not answer is asked once: what needs it is due again the next time.
    """
    rows = Instance.objects.select_related("engine_version", "cluster", "volume")
    due = rows.filter(cluster=cluster, deadline_at__lte=timezone.now())
    away = False
    for instance in due:
        if away and instance.state != S.QUEUED:
            continue
        try:
            _EXPIRE[InstanceState(instance.state)](instance)
        except (StaleState, StaleEpoch):
            continue  # it moved on after all
        except (ClusterError, ClusterUnavailable) as error:  # the others are due all the same; this one is asked for again
            away = away or isinstance(error, ClusterUnavailable)
            log.warning("overdue instance %s: %s", instance.slug, error)


def _expire_queued(instance: Instance) -> None:
    fail(instance, Reason.QUEUE_TIMEOUT, "")


def _expire_start(instance: Instance) -> None:
    reason = Reason.START_TIMEOUT if instance.state == S.STARTING else Reason.PROVISION_TIMEOUT
    move(instance, S.STOPPING, reason=reason, evidence=instance.evidence)
    _stop(instance)


def _expire_stop(instance: Instance) -> None:
    """Force it, say so once a deadline, and keep trying: it is not gone before it is seen to be gone."""
    limit = timedelta(seconds=PHASE_LIMIT_SECONDS[instance.state])
    with transaction.atomic():
        unmoved = Instance.objects.filter(pk=instance.pk, state=instance.state, deadline_at=instance.deadline_at)
        if not unmoved.update(deadline_at=timezone.now() + limit):
            return
        note(instance, Reason.STOP_STUCK, f"{instance.state} for more than {limit}")
    cluster = get_cluster(instance.cluster)
    act = cluster.delete if instance.state == S.DELETING else cluster.stop
    act(instance.workload, epoch=instance.stop_epoch, grace_seconds=0)


_EXPIRE: dict[InstanceState, Callable[[Instance], None]] = {
    S.QUEUED: _expire_queued,
    S.PROVISIONING: _expire_start,
    S.STARTING: _expire_start,
    S.STOPPING: _expire_stop,
    S.DELETING: _expire_stop,
}
