"""Ask a worker to write a file soon. A hint may be lost or repeated: the sweep is the guarantee."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def write_on_commit(job_id: int) -> None:
    """Ask once the present transaction is durable."""
    transaction.on_commit(lambda: write_soon(job_id))


def write_soon(job_id: int) -> None:
    """Ask now; with the broker away the sweep finds the job within its minute."""
    try:
        current_app.send_task("billing.tasks.write_export", [job_id], queue="billing", retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        log.warning("no hint for export %d: %s", job_id, error)
