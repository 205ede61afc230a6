"""Writing the files that were asked for: by one worker at a time, from the beginning, until one has done it.

A worker takes a lease and renews it with every stretch of lines. It writes into a part of its own, which becomes the file with
one renaming, and only then says so: wherever it dies, there is either a whole file that the job names, or none. What it leaves
behind, the sweep removes; whoever finds its lease gone stops.
"""

import hashlib
import io
import logging
import os
import uuid
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from billing.exports import hints, reports
from billing.exports.asking import selection_for
from billing.exports.snapshots import snapshot
from billing.exports.texts import Tally
from billing.exports.writing import write
from billing.locks import own_exports
from billing.models import ExportJob

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
"""How long a worker may be silent before another takes over."""
ATTEMPTS = 3
AT_ONCE = 2
"""Files that are written at the same moment, so that settling always finds a worker."""
State = ExportJob.State


class LeaseLost(Exception):
    """Another worker has taken the job over."""


def directory() -> Path:
    """Return where files are, on a disk that workers and web servers share."""
    path = Path(settings.EXPORTS_DIR)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def path_of(job: ExportJob) -> Path:
    """Return where the job's file is."""
    return directory() / job.file_name


def run(job_id: int) -> bool:
    """Write the job's file, if nobody is at it and it is not done; tell whether it is done now by this call."""
    job = _take(job_id, timezone.now())
    if job is None:
        return False
    part = directory() / f"{job.slug}-{job.lease}.part"
    try:
        _write(job, part)
    except LeaseLost:
        log.info("export %s was taken over", job.slug)
        return False
    except Exception:
        _let_go(job)
        raise
    finally:
        part.unlink(missing_ok=True)
        _wake_next()
    return True


@transaction.atomic
def _take(job_id: int, now: datetime) -> ExportJob | None:
    """Take the job's lease; None where there is nothing to do, or enough is being done."""
    own_exports()  # so that two who count do not both find room
    job = ExportJob.objects.select_for_update(of=("self",), skip_locked=True).select_related("tenant").filter(pk=job_id).first()
    if job is None or not _is_free(job, now):
        return None
    if ExportJob.objects.filter(state=State.RUNNING, leased_until__gt=now).count() >= AT_ONCE:
        return None
    if job.attempts >= ATTEMPTS:  # the worker died each time
        _fail(job)
        return None
    job.state, job.lease, job.leased_until = State.RUNNING, uuid.uuid4(), now + LEASE
    job.attempts, job.lines_done = job.attempts + 1, 0
    job.save(update_fields=["state", "lease", "leased_until", "attempts", "lines_done"])
    return job


def _is_free(job: ExportJob, now: datetime) -> bool:
    if job.state == State.RUNNING:
        return job.leased_until is not None and job.leased_until <= now
    return job.state == State.WAITING


def _write(job: ExportJob, part: Path) -> None:
    """Write, name and tell. Raises LeaseLost."""
    selection = selection_for(job)
    with part.open("wb") as file, snapshot(selection) as books:
        _tell(job, lines_total=books.count())
        sink = _Summing(file)
        tally = Tally(told=lambda so_far: _tell(job, lines_done=so_far.rows))
        write(job.format_, books, cast("BinaryIO", sink), tally)
        file.flush()
        os.fsync(file.fileno())
    now = timezone.now()
    name = f"{job.slug}-{job.lease}.{job.format_.ending}"
    part.rename(directory() / name)
    with transaction.atomic():
        _tell(
            job,
            state=State.DONE,
            lease=None,
            leased_until=None,
            lines_done=F("lines_total"),  # what was left out is done too
            row_count=tally.rows,
            sums=[
                {"currency": currency, "net": f"{sums.net:f}", "list": f"{sums.list:f}"}
                for currency, sums in sorted(tally.totals.items())
            ],
            file_name=name,
            size_bytes=sink.size,
            sha256=sink.hash.hexdigest(),
            finished_at=now,
            expires_at=now + timedelta(days=settings.EXPORT_DAYS),
        )
        job.refresh_from_db()
        reports.announce(job)


def _tell(job: ExportJob, **fields: object) -> None:
    """Write down how far it is, and keep the lease. Raises LeaseLost."""
    kept = {"leased_until": timezone.now() + LEASE} | fields
    if not ExportJob.objects.filter(pk=job.pk, lease=job.lease).update(**kept):
        raise LeaseLost


def _let_go(job: ExportJob) -> None:
    """After an error: leave it to another attempt, or give up."""
    mine = ExportJob.objects.filter(pk=job.pk, lease=job.lease)
    if job.attempts < ATTEMPTS:
        mine.update(state=State.WAITING, lease=None, leased_until=None)
    elif mine.exists():
        _fail(job)


def _fail(job: ExportJob) -> None:
    log.error("export %s is given up after %d attempts", job.slug, job.attempts)
    ExportJob.objects.filter(pk=job.pk).update(state=State.FAILED, lease=None, leased_until=None, finished_at=timezone.now())


def _wake_next() -> None:
    waiting = ExportJob.objects.filter(state=State.WAITING).order_by("created_at").first()
    if waiting is not None:
        hints.write_soon(waiting.pk)


class _Summing(io.RawIOBase):
    """A file that counts and hashes what goes through it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> int:
        self.hash.update(data)
        written = self._file.write(data)
        self.size += written
        return written

    def writable(self) -> bool:
        return True


def sweep(*, now: datetime) -> None:
    """Hint at what waits or was abandoned, remove what is kept no longer, and files that no job names."""
    lost = Q(state=State.RUNNING, leased_until__lte=now) | Q(state=State.WAITING)
    for pk in ExportJob.objects.filter(lost).order_by("created_at").values_list("pk", flat=True)[: 2 * AT_ONCE]:
        hints.write_soon(pk)
    for job in ExportJob.objects.filter(state=State.DONE, expires_at__lte=now):
        ExportJob.objects.filter(pk=job.pk).update(state=State.EXPIRED)
        path_of(job).unlink(missing_ok=True)
    ExportJob.objects.exclude(state__in=[*ExportJob.UNFINISHED, State.DONE]).filter(
        report_of=None, created_at__lte=now - timedelta(days=settings.AUDIT_DAYS)
    ).delete()
    _remove_strays(now)


def _remove_strays(now: datetime) -> None:
    """Remove what workers left that died, once nobody can be writing it any more."""
    named = set(ExportJob.objects.filter(state=State.DONE).values_list("file_name", flat=True))
    for path in directory().iterdir():
        if path.name in named:
            continue
        with suppress(FileNotFoundError):  # a worker has named it otherwise, or removed it
            if now.timestamp() - path.stat().st_mtime > 2 * LEASE.total_seconds():
                path.unlink()
