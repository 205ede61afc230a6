"""Ask a worker to look at an instance soon. A hint may be lost or repeated: the sweeps are the guarantee."""

import logging
from uuid import UUID

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def reconcile_on_commit(instance_id: UUID) -> None:
    """Ask once the present transaction is durable."""
    transaction.on_commit(lambda: reconcile_soon(instance_id))


def reconcile_soon(instance_id: UUID | str, *, seconds: float = 0) -> None:
    """Ask now, or in so many seconds; with the broker away the sweep finds the instance within its half minute."""
    _send("engines.tasks.reconcile_instance", instance_id, queue="provision", seconds=seconds)


def remove_stray_on_commit(instance_id: UUID) -> None:
    """Ask, once the present transaction is durable, to delete what is left of a deleted instance."""
    transaction.on_commit(lambda: remove_stray_soon(instance_id))


def remove_stray_soon(instance_id: UUID | str) -> None:
    """Ask for it now."""
    _send("engines.tasks.remove_stray", instance_id, queue="provision")


def finish_release_on_commit(instance_id: UUID, *, seconds: float) -> None:
    """Ask, once the present transaction is durable, for the second half of a release."""
    transaction.on_commit(lambda: _send("engines.tasks.finish_release", instance_id, queue="provision", seconds=seconds))


def settle_on_commit(instance_id: UUID) -> None:
    """Say, once the present transaction is durable, that a run began to cost something or ceased to.

    The task is named, not imported: billing stands on engines, and engines run without it.
    """
    transaction.on_commit(lambda: _send("billing.tasks.settle_instance", instance_id, queue="billing"))


def _send(task: str, instance_id: UUID | str, *, queue: str, seconds: float = 0) -> None:
    try:
        current_app.send_task(task, [str(instance_id)], queue=queue, retry=False, countdown=seconds or None)
    except (OperationalError, OSError) as error:
        log.warning("no worker was asked to look at %s: %s", instance_id, error)
