"""Ask those who run engines to look at how tenants and memberships stand.

The task is named, not imported: engines stand on tenants. A hint may be lost or repeated; the engines' sweep is the guarantee.
"""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def follow_on_commit() -> None:
    """Ask once the present transaction is durable."""
    transaction.on_commit(_follow)


def _follow() -> None:
    try:
        current_app.send_task("engines.tasks.follow_tenants", queue="provision", retry=False)
    except (OperationalError, OSError) as error:
        log.warning("nobody was asked to follow the tenants: %s", error)
