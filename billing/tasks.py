"""Celery wrappers."""

from celery import shared_task
from django.utils import timezone

from billing import operations


@shared_task
def settle_all() -> None:
    """Settle whatever is due; may run beside itself."""
    operations.settle_due(now=timezone.now())
