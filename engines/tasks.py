"""Celery's side of the life cycle: what to call, and what is worth trying again. Arguments are ids."""

from celery import shared_task

from engines import hints, reconcile, standing, sweeping
from engines.clusters.base import ClusterUnavailable
from engines.operations import schedules
from engines.release import counting, looking, marking, spans

# What interferes may last, such as a cluster that is ahead of a restored database: nobody should spin on it.
AGAIN_SECONDS = 2


@shared_task(autoretry_for=(ClusterUnavailable,), retry_backoff=True, retry_backoff_max=60, max_retries=8)
def reconcile_instance(instance_id: str) -> None:
    """Bring one instance nearer to its wish."""
    if not reconcile.reconcile(instance_id):
        hints.reconcile_soon(instance_id, seconds=AGAIN_SECONDS)


@shared_task(autoretry_for=(ClusterUnavailable,), retry_backoff=True, retry_backoff_max=60, max_retries=8)
def remove_stray(instance_id: str) -> None:
    """Delete what runs for a deleted instance."""
    reconcile.remove_stray(instance_id)


@shared_task
def sweep() -> None:
    """Make good whatever was lost: see `engines.sweeping`."""
    sweeping.sweep()


@shared_task
def follow_tenants() -> None:
    """Release at once what must not run any more: a tenant or a membership changed."""
    standing.follow_tenants()


@shared_task
def measure_volumes() -> None:
    """Write down how much data there is."""
    sweeping.measure_volumes()


@shared_task
def purge_trash() -> None:
    """Remove volumes whose time in the trash is over."""
    sweeping.purge_trash()


@shared_task
def look_at_all() -> None:
    """See who uses what, finish releases whose hint was lost, and begin those that are due."""
    for use in marking.overdue().select_related("instance"):
        with looking.undisturbed(use.instance):
            marking.finish(use.instance_id)
    looking.look_at_all()


@shared_task
def count_pictures() -> None:
    """Ask the engines that can tell what they have made."""
    counting.count_all()


@shared_task
def finish_release(instance_id: str) -> None:
    """The second half of a release."""
    marking.finish(instance_id)


@shared_task
def fire_schedules() -> None:
    """Start and stop what is due by schedules."""
    schedules.fire_due()


@shared_task
def forget_old_use() -> None:
    """Drop history that is too old to be replayed."""
    spans.forget_old()
    counting.forget_old()
