"""A finished file as an answer, whole or in part; and a file that is written while it is sent."""

import threading
from collections.abc import Generator, Iterator
from pathlib import Path

from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from billing.errors import ExportRefused
from billing.exports.formats import Format
from billing.exports.jobs import path_of
from billing.exports.selection import Selection
from billing.exports.snapshots import snapshot
from billing.exports.texts import PIECE_BYTES, Tally, layout_of, pieces
from billing.models import ExportJob
from engines.files.ranges import BadRange, parse_range
from engines.sending.chunks import StreamedChunks

STREAMS = 4
"""Files that one process writes into answers at the same moment; each has a connection to the database."""
_free_streams = threading.BoundedSemaphore(STREAMS)


def require_done(job: ExportJob) -> None:
    """Raise ExportRefused where there is no file yet, or no longer."""
    if job.state != ExportJob.State.DONE:
        raise ExportRefused("", _("This file is not ready, or no longer kept."))


def begins_file(response: HttpResponseBase) -> bool:
    """Tell whether an answer of `send_file` has the beginning of the file: then somebody takes it, else goes on taking it."""
    return response.status_code == 200 or (response.status_code == 206 and response["Content-Range"].startswith("bytes 0-"))


def send_file(request: HttpRequest, job: ExportJob) -> HttpResponseBase:
    """Send the file of a job that is done, or the range of it that is asked for. Raises ExportRefused where there is none."""
    require_done(job)
    etag = f'"{job.sha256}"'
    if request.headers.get("If-None-Match") == etag:
        return _headed(HttpResponse(status=304), job)
    wanted = request.headers.get("Range", "") if request.headers.get("If-Range") in {None, etag} else ""
    try:
        start, length = parse_range(wanted, job.size_bytes) or (0, job.size_bytes)
    except BadRange:
        return _headed(HttpResponse(status=416, headers={"Content-Range": f"bytes */{job.size_bytes}"}), job)
    try:
        part = _Part(path_of(job), start, length)
    except FileNotFoundError as error:
        raise ExportRefused("", _("The file is not on this server’s disk. Ask for it again.")) from error
    response = StreamedChunks(part, content_type=job.format_.content_type, length=length)
    if length < job.size_bytes:
        response.status_code = 206
        response["Content-Range"] = f"bytes {start}-{start + length - 1}/{job.size_bytes}"
    return _headed(response, job)


def stream(selection: Selection, format_: Format, name: str) -> HttpResponseBase:
    """Write a file of text into the answer. Raises ExportRefused where too many are being sent."""
    response = StreamedChunks(_Written(selection, format_), content_type=format_.content_type)
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or "attachment"
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


def _headed(response: HttpResponseBase, job: ExportJob) -> HttpResponseBase:
    response["ETag"] = f'"{job.sha256}"'
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-cache"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=job.download_name) or "attachment"
    return response


class _Part:
    """A part of a file, in pieces."""

    def __init__(self, path: Path, start: int, length: int) -> None:
        self._file = path.open("rb")
        self._file.seek(start)
        self._left = length

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = self._file.read(min(PIECE_BYTES, self._left))
        if not piece:
            self.close()
            raise StopIteration
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        """Let go of the file."""
        self._left = 0
        self._file.close()


class _Written:
    """A file of text as it is written; closing it cancels the statement that is being answered."""

    def __init__(self, selection: Selection, format_: Format) -> None:
        if not _free_streams.acquire(blocking=False):
            raise ExportRefused(
                "", _("Too many files are being sent at this moment. Ask again in a minute, or ask for an export.")
            )
        self._holds = True
        self._pieces = _pieces(selection, format_)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """End it, wherever it is."""
        self._pieces.close()
        if self._holds:
            self._holds = False
            _free_streams.release()


def _pieces(selection: Selection, format_: Format) -> Generator[bytes, None, None]:
    try:
        with snapshot(selection) as books:
            yield from pieces(books, layout_of(format_, books), Tally())
    finally:
        connection.close()  # this thread's own, if anything asked for it
