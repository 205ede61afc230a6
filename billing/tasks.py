"""Celery wrappers."""

import uuid
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from billing import auditing, capacity, operations
from billing.budgets import evaluating
from billing.exports import jobs, reports


@shared_task
def settle_instance(instance_id: str) -> None:
    """Settle one instance whose run began or ended, so that pages need not wait for the next round."""
    operations.settle(uuid.UUID(instance_id), now=timezone.now())


@shared_task
def look_at_budgets() -> None:
    """Tell of budgets and pause what runs on them, where that is due."""
    evaluating.evaluate_all(now=timezone.now())


@shared_task
def settle_all() -> None:
    """Settle whatever is due; may run beside itself."""
    operations.settle_due(now=timezone.now())


@shared_task
def note_capacity() -> None:
    """Write down what capacity there is, if it is not what there was."""
    capacity.note_capacity(now=timezone.now())


@shared_task(time_limit=3600)
def verify() -> None:
    """Check the books, and the two days before; what is wrong is logged as an error, what is odd as a warning."""
    auditing.verify()
    now = timezone.now()
    auditing.tell_crowds(now - timedelta(days=2), now)


@shared_task(time_limit=4 * 3600)
def write_export(job_id: int) -> None:
    """Write one file; does nothing where somebody is at it."""
    jobs.run(job_id)


@shared_task
def sweep_exports() -> None:
    """Have reports written that are due, and files that were forgotten; remove what is kept no longer."""
    now = timezone.now()
    reports.begin(now=now)
    jobs.sweep(now=now)
