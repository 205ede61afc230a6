"""Files as an answer, one or many, and a piece of an upload as a request.

Whatever an engine wrote is hostile: nothing but pictures is ever shown by a browser in the portal's name, and those without a
right to do anything.
"""

from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from engines import pictures
from engines.errors import Unavailable
from engines.file_room import Room
from engines.file_words import FileRefused
from engines.files.base import PIECE_BYTES, Content, Entry, FileRefusal, Piece, Refusal
from engines.files.ranges import BadRange, parse_range
from engines.operations.taking import note_files_taken
from engines.sending.chunks import StreamedChunks

_POWERLESS = "default-src 'none'; sandbox"
_FOR_GOOD = "private, max-age=31536000, immutable"  # the address names the file's version
MIB = 1024 * 1024


def send_file(request: HttpRequest, room: Room, path: str, *, shown: bool = False, keep: bool = False) -> HttpResponseBase:
    """Send a file, or the range of it that is asked for; `shown`: to look at, if it is a picture, perhaps to `keep` for good."""
    with room.files() as files:
        entry = files.stat(path)
        try:
            span = _span(request, entry)
        except BadRange:
            return headed(HttpResponse(status=416, headers={"Content-Range": f"bytes */{entry.size_bytes}"}), entry)
        content = files.read(path, start=span[0], length=span[1]) if span else files.read(path)
    picture = pictures.content_type(entry.name) if shown else None
    response = StreamedChunks(content.chunks, content_type=picture or "application/octet-stream", length=content.length)
    if span:
        response.status_code = 206
        response["Content-Range"] = _content_range(content)
    response["Content-Disposition"] = content_disposition_header(not picture, entry.name) or "attachment"
    return headed(response, content.entry, keep=keep and picture is not None)


def send_archive(room: Room, folder: str, names: list[str]) -> HttpResponseBase:
    """Send these of a folder as a ZIP archive, or all of it without names; the audit log knows who took what."""
    with room.files() as files:
        chunks = files.zip(folder, names)
    note_files_taken(volume=room.volume, by=room.membership, folder=folder, names=names)
    response = StreamedChunks(chunks, content_type="application/zip")
    what = names[0] if len(names) == 1 else folder.rpartition("/")[2] or room.volume.name
    name = f"{what} {datetime.now(UTC):%Y-%m-%d}.zip"
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Cache-Control"] = "no-store"
    return response


def piece(upload: str, *, offset: int, length: int, size_bytes: int) -> Piece:
    """Return which part of an upload comes; limits are checked before a byte is read."""
    if size_bytes > settings.UPLOAD_LIMIT_MIB * MIB:
        raise Unavailable(_("Files of more than %(limit)d MiB cannot be uploaded here.") % {"limit": settings.UPLOAD_LIMIT_MIB})
    if length > PIECE_BYTES:
        raise FileRefused(FileRefusal(Refusal.BAD_PIECE))
    return Piece(upload, offset, length, size_bytes)


def _span(request: HttpRequest, entry: Entry) -> tuple[int, int] | None:
    """Return which bytes are asked for; all of them if the file is not the one that was begun."""
    condition = request.headers.get("If-Range")
    if condition is not None and condition != etag_of(entry):
        return None
    return parse_range(request.headers.get("Range", ""), entry.size_bytes)


def _content_range(content: Content) -> str:
    return f"bytes {content.start}-{content.start + content.length - 1}/{content.entry.size_bytes}"


def headed(response: HttpResponseBase, entry: Entry, *, keep: bool = False) -> HttpResponseBase:
    """Add what every answer with an engine's bytes needs."""
    response["ETag"] = etag_of(entry)
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = _FOR_GOOD if keep else "private, no-cache"
    response["Content-Security-Policy"] = _POWERLESS
    response["X-Content-Type-Options"] = "nosniff"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def etag_of(entry: Entry) -> str:
    """Name a file's version."""
    return f'"{entry.version}"'
