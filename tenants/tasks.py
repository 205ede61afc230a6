"""Celery wrappers."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from tenants.access_tokens.answers import forget_old_answers
from tenants.audit import retention
from tenants.notifications import hints, operations, outbox


@shared_task
def deliver() -> None:
    """Deliver notifications that are due; what is left after a while waits behind what others have asked for."""
    if not outbox.deliver_due():
        hints.deliver_soon()


@shared_task
def forget_notifications() -> None:
    """Delete what nobody reads any more."""
    operations.forget_older_than(timezone.now() - timedelta(days=settings.NOTIFICATION_DAYS))


@shared_task
def forget_audit() -> None:
    """Delete what the audit log need not keep any longer."""
    retention.forget_older_than(timezone.now() - timedelta(days=settings.AUDIT_DAYS))


@shared_task
def forget_answers() -> None:
    """Delete what no request will be answered again."""
    forget_old_answers()
