"""Celery wrappers."""

import time
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from tenants.access_tokens.answers import forget_old_answers
from tenants.audit import retention
from tenants.notifications import hints, operations, outbox
from tenants.sign_in import rechecking
from tenants.team import operations_tenant

RECHECK_SECONDS = 50
"""How long one round of asking providers may take: slow ones must not pile rounds up."""


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
def recheck_people() -> None:
    """Ask providers of sign-in whether those whom they vouched for are still theirs."""
    end = time.monotonic() + RECHECK_SECONDS
    rechecking.recheck_due(now=timezone.now(), still=lambda: time.monotonic() < end)


@shared_task
def end_due_tenants() -> None:
    """End tenants whose time of grace is over."""
    operations_tenant.end_due_tenants(timezone.now())


@shared_task
def forget_answers() -> None:
    """Delete what no request will be answered again."""
    forget_old_answers()
