"""Ask a worker to deliver what waits. A hint may be lost or repeated: the round of every few seconds is the guarantee."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def deliver_on_commit() -> None:
    """Ask once the present transaction is durable."""
    transaction.on_commit(deliver_soon)


def deliver_soon() -> None:
    """Ask now; with the broker away the next round finds what waits."""
    try:
        current_app.send_task("tenants.tasks.deliver", queue="deliveries", retry=False)
    except (OperationalError, OSError) as error:
        log.warning("no worker was asked to deliver notifications: %s", error)
