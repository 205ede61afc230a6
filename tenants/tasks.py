"""Celery wrappers."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from tenants.notifications import hints, operations, outbox, rounds
from tenants.team import operations_tenant


@shared_task
def deliver() -> None:
    """Deliver notifications that are due, unless enough are at it: slow receivers must not take every worker."""
    with rounds.a_round() as is_free:
        is_done = not is_free or outbox.deliver_due()
    if not is_done:
        hints.deliver_soon()


@shared_task
def forget_notifications() -> None:
    """Delete what nobody reads any more."""
    operations.forget_older_than(timezone.now() - timedelta(days=settings.NOTIFICATION_DAYS))


@shared_task
def end_due_tenants() -> None:
    """End tenants whose time of grace is over."""
    operations_tenant.end_due_tenants(timezone.now())
