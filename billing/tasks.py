"""Celery wrappers."""

import uuid

from celery import shared_task
from django.utils import timezone

from billing import operations


@shared_task
def settle_instance(instance_id: str) -> None:
    """Settle one instance whose run began or ended, so that pages need not wait for the next round."""
    operations.settle(uuid.UUID(instance_id), now=timezone.now())


@shared_task
def settle_all() -> None:
    """Settle whatever is due; may run beside itself."""
    operations.settle_due(now=timezone.now())
