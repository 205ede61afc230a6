"""The guarantee behind the hints: every half minute, look at everything that is not at rest and at everything that runs."""

import logging

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from engines import hints
from engines.bursting import burst_overdue
from engines.clusters import get_cluster
from engines.clusters.base import ClusterError, ClusterUnavailable, Phase
from engines.facts import SEEN_EVERY
from engines.models import Cluster, Instance, Volume, VolumeFact
from engines.observe import observe
from engines.reconcile import expire_deadlines
from engines.standing import follow_tenants
from engines.states import HOLDS_GPU, RESTING, DesiredState, InstanceState
from engines.volume_facts import note_volume

log = logging.getLogger(__name__)


def sweep() -> None:
    """Observe every cluster, end what is overdue, follow tenants and members, and ask for all that is not as it should be."""
    follow_tenants()
    for cluster in Cluster.objects.all():
        for duty in (_observe_seldom, expire_deadlines):
            try:
                duty(cluster)
            except ClusterUnavailable as error:
                log.warning("cluster %s does not answer: %s", cluster.slug, error)
            except Exception:  # one cluster's trouble must not cost the others their guarantee
                log.exception("cluster %s could not be swept", cluster.slug)
    burst_overdue()
    for instance_id in drifted().values_list("pk", flat=True):
        hints.reconcile_soon(instance_id)
    for instance_id in strays().values_list("pk", flat=True):
        hints.remove_stray_soon(instance_id)


def strays() -> QuerySet[Instance]:
    """Deleted instances of which the cluster was seen to have something, and not yet seen to have nothing."""
    return Instance.objects.filter(state=InstanceState.DELETED, stray_since__isnull=False)


def drifted() -> QuerySet[Instance]:
    """Instances on their way, and those that rest elsewhere than wished."""
    on_the_way = ~Q(state__in=RESTING)
    misplaced = (
        Q(state=InstanceState.RUNNING) & ~Q(desired_state=DesiredState.RUNNING)
        | Q(state=InstanceState.STOPPED) & ~Q(desired_state=DesiredState.STOPPED)
        | Q(state=InstanceState.FAILED) & (~Q(desired_state=DesiredState.RUNNING) | Q(settled_generation__lt=F("generation")))
        | Q(state=InstanceState.RUNNING, applied_generation__lt=F("restart_generation"))
    )
    return Instance.objects.filter(on_the_way | misplaced)


def _observe_seldom(cluster: Cluster) -> None:
    """Look at all of a cluster, seldom if its watcher is awake, which has told nearly all that a list would say.

    A watch says nothing of what does not change, and a run has to be proved alive; and it does not hear of everything.
    """
    is_watched = cluster.watched_at is not None and not cluster.is_silent
    if is_watched and timezone.now().timestamp() % SEEN_EVERY.total_seconds() >= settings.SWEEP_SECONDS:
        return
    observe_all(cluster)


def observe_all(cluster: Cluster) -> None:
    """Look at what the cluster has, then at what should be there and was not in the list, or there not whole."""
    adapter = get_cluster(cluster)
    looked_at = set()
    for seen in adapter.list_workloads():
        if seen.phase != Phase.GONE:
            looked_at.add(seen.name)
        observe(cluster, seen)
    for instance in Instance.objects.filter(cluster=cluster, state__in=HOLDS_GPU).select_related("volume"):
        if instance.workload.name not in looked_at:
            try:
                observe(cluster, adapter.observe(instance.workload))
            except (ClusterError, ClusterUnavailable) as error:
                log.warning("workload %s cannot be looked at: %s", instance.workload.name, error)


def measure_volumes() -> None:
    """Write down how much is on every volume; one that cannot be measured keeps its last figure."""
    for volume in Volume.objects.exclude(state=Volume.State.DELETED).exclude(provisioned_at=None).select_related("cluster"):
        try:
            used = get_cluster(volume.cluster).volume_usage(volume.ref).used_bytes
        except ClusterUnavailable as error:  # on some clusters only its open files can be measured
            log.debug("volume %s is not measured now: %s", volume.slug, error)
            continue
        except ClusterError as error:
            log.warning("volume %s cannot be measured: %s", volume.slug, error)
            continue
        Volume.objects.filter(pk=volume.pk).exclude(used_bytes=used).update(used_bytes=used)


def purge_trash() -> None:
    """Delete the data of volumes whose date has come; a cluster that refuses is asked again next time."""
    for volume in _due_for_purge().select_related("cluster"):
        if not _is_given_up(volume):
            continue
        try:
            get_cluster(volume.cluster).delete_volume(volume.ref)
        except (ClusterError, ClusterUnavailable) as error:
            log.warning("volume %s stays in the trash: %s", volume.slug, error)
            continue
        unmoved = Volume.objects.filter(pk=volume.pk, state=Volume.State.TRASHED)
        now = timezone.now()
        with transaction.atomic():
            if unmoved.update(state=Volume.State.DELETED, deleted_at=now):
                note_volume(volume, VolumeFact.Kind.GONE, at=now)


def _due_for_purge() -> QuerySet[Volume]:
    # By the database's clock, as in `restore_volume`: the two never both think that it is their turn.
    return Volume.objects.filter(state=Volume.State.TRASHED, purge_at__lte=Now())


@transaction.atomic
def _is_given_up(volume: Volume) -> bool:
    """Wait for whoever restores it at this moment; if nobody did, nobody can any more."""
    return _due_for_purge().select_for_update(no_key=True).filter(pk=volume.pk).first() is not None
