"""What is in a file, for whoever has to prove it later."""

from typing import Any

from django.conf import settings

from billing.accounts import calendar_of
from billing.exports.columns import NAMES
from billing.focus import columns as focus_columns
from billing.models import ExportJob
from billing.windows import Window

EDITION = 1
"""Of this document; a change of what a key means is a new one."""


def manifest_of(job: ExportJob) -> dict[str, Any]:
    """Return the manifest of a file that is ready, as JSON has it: amounts are decimal numbers in text."""
    calendar = calendar_of(job.tenant)
    start, end = Window(job.first_day, job.last_day).moments(calendar)
    focus = job.format_.focus
    return {
        "manifest": EDITION,
        "file": job.download_name,
        "format": job.format,
        "focusVersion": str(focus) if focus else None,
        "columns": list(focus_columns.NAMES[focus] if focus else NAMES),
        "issuer": settings.SITE_NAME,
        "tenant": job.tenant.slug,
        "timeZone": calendar.period_at(start).time_zone,
        "window": {"start": start.isoformat(), "end": end.isoformat()},
        "basis": job.basis,
        "detail": job.detail,
        "filter": job.filter,
        "asOf": job.as_of.isoformat(),
        "rows": job.row_count,
        "sums": job.sums,
        "bytes": job.size_bytes,
        "sha256": job.sha256,
        "madeAt": job.finished_at.isoformat() if job.finished_at else None,
    }
