"""What is on a volume: folders, files, and new ones piece by piece. Nothing is ever overwritten.

What changes files is a PUT, PATCH or DELETE, so that no transaction is open while a cluster works.
"""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from django.http import HttpResponseBase
from ninja import Path, Query, Router, Status
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import LIMIT, offset_cursor, read_offset
from aigc_portal.api.problems import Problem, invalid
from aigc_portal.api.schemas import Input, Output
from engines.file_room import Room, room_in
from engines.files.base import Entry, Order
from engines.operations.taking import note_files_deleted
from engines.sending.files import piece, send_archive, send_file
from tenants.access_tokens.scopes import Scope

router = Router(tags=["Files"])
READ, WRITE = needs(Scope.DATA_READ), needs(Scope.DATA_WRITE)
AWAY = {"x-problems": [409, 503]}
BYTES = {"schema": {"type": "string", "format": "binary"}}
DOWNLOAD = {
    "x-problems": [409, 416, 503],
    "responses": {
        200: {"content": {"application/octet-stream": BYTES}},
        206: {"description": "The range that was asked for.", "content": {"application/octet-stream": BYTES}},
    },
}
ARCHIVE = AWAY | {"responses": {200: {"content": {"application/zip": BYTES}}}}
UPLOAD = {"x-problems": [503], "requestBody": {"required": True, "content": {"application/octet-stream": BYTES}}}


class FileOut(Output):
    """One thing in a folder."""

    name: str
    kind: str = Field(description="folder, file, link or other.")
    size_bytes: int
    modified_at: datetime
    version: str = Field(description="Another one after each change.")


class FolderOut(Output):
    """A part of a folder. While an engine writes into it, parts may overlap."""

    items: list[FileOut]
    next_cursor: str | None = None
    total: int
    complete: bool = Field(description="Whether the whole folder was looked at.")


class UploadedOut(Output):
    """What became of a piece."""

    done: bool = Field(description="The file is whole.")
    upload: str = Field(description="What to send with the other pieces.")


class FolderPart(Input):
    """Which part of which folder is wanted."""

    path: str = Field("", max_length=4000, description="Relative, with / between names; empty: the volume itself.")
    order: Literal["name", "newest"] = "name"
    limit: int = Field(50, ge=1, le=LIMIT)
    cursor: str = Field("", max_length=100)


class ArchivePart(Input):
    """What is wanted of which folder."""

    path: str = Field("", max_length=4000, description="Relative, with / between names; empty: the volume itself.")
    name: list[Annotated[str, Field(min_length=1, max_length=255)]] = Field(
        default=[], max_length=200, description="A file or folder in it, as often as there are some; none: all of it."
    )


class FilePath(Input):
    """Which file or folder is meant."""

    path: str = Field(min_length=1, max_length=4000, description="Relative, with / between names.")


class PieceQuery(FilePath):
    """Which part of an upload the body is. Files of at most 8 MiB go in one: then `path` is enough."""

    upload: str = Field("", pattern=r"^([0-9a-f]{32})?$", description="32 hexadecimal digits, the same for all pieces of a file.")
    offset: int = Field(0, ge=0, description="Bytes before it.")
    size: int | None = Field(None, ge=0, description="Bytes of the whole file; those of the body if it is left out.")


class RenameIn(Input):
    """A new name in the same folder."""

    name: str = Field(min_length=1, max_length=255)


@router.get("/files", auth=READ, response=FolderOut, summary="List a folder", openapi_extra=AWAY)
def list_files(request: ApiRequest, tenant: Path[str], volume: Path[str], wanted: Query[FolderPart]) -> FolderOut:
    """Return what is in a folder, for the volume's owner and whoever may enter the engine that has it."""
    offset = read_offset(wanted.cursor)
    with _room(request, tenant, volume).files() as files:
        listing = files.list(wanted.path, order=Order(wanted.order), offset=offset, limit=wanted.limit)
    end = offset + len(listing.entries)
    return FolderOut(
        items=[_shown(each) for each in listing.entries],
        next_cursor=offset_cursor(end) if listing.entries and end < listing.total else None,
        total=listing.total,
        complete=listing.complete,
    )


@router.get("/files/content", auth=READ, response=None, summary="Download a file", openapi_extra=DOWNLOAD)
def download_file(request: ApiRequest, tenant: Path[str], volume: Path[str], wanted: Query[FilePath]) -> HttpResponseBase:
    """Send a file, or the range of it that `Range` asks for."""
    return send_file(request, _room(request, tenant, volume), wanted.path)


@router.get("/files/archive", auth=READ, response=None, summary="Download an archive", openapi_extra=ARCHIVE)
def download_archive(request: ApiRequest, tenant: Path[str], volume: Path[str], wanted: Query[ArchivePart]) -> HttpResponseBase:
    """Send these of a folder as a ZIP archive, or all of it if none is named."""
    return send_archive(_room(request, tenant, volume), wanted.path, wanted.name)


@router.put("/files/content", auth=WRITE, response=UploadedOut, summary="Upload a piece of a file", openapi_extra=UPLOAD)
def upload_file(request: ApiRequest, tenant: Path[str], volume: Path[str], wanted: Query[PieceQuery]) -> UploadedOut:
    """Take the body as a piece of a file that does not exist yet. The same piece may be sent again."""
    length = request.headers.get("Content-Length", "")
    if not length.isdecimal():
        raise Problem("bad-request")
    if not wanted.upload and (wanted.offset or wanted.size is not None):
        raise invalid("query", "upload", "Field required")
    upload, size = wanted.upload or uuid.uuid4().hex, int(length) if wanted.size is None else wanted.size
    sent = piece(upload, offset=wanted.offset, length=int(length), size_bytes=size)
    with _room(request, tenant, volume).files(to_change=True) as files:
        made = files.write(wanted.path, request, sent)
    return UploadedOut(done=made is not None, upload=upload)


@router.put("/files/folder", auth=WRITE, response={204: None}, summary="Make a folder", openapi_extra=AWAY)
def make_folder(request: ApiRequest, tenant: Path[str], volume: Path[str], wanted: Query[FilePath]) -> Status[None]:
    """Create a folder in one that exists."""
    with _room(request, tenant, volume).files(to_change=True) as files:
        files.make_folder(wanted.path)
    return Status(204, None)


@router.patch("/files", auth=WRITE, response={204: None}, summary="Rename a file or folder", openapi_extra=AWAY)
def rename_file(
    request: ApiRequest, tenant: Path[str], volume: Path[str], which: Query[FilePath], wanted: RenameIn
) -> Status[None]:
    """Give it another name in the same folder."""
    with _room(request, tenant, volume).files(to_change=True) as files:
        files.rename(which.path, wanted.name)
    return Status(204, None)


@router.delete("/files", auth=WRITE, response={204: None}, summary="Delete a file or folder", openapi_extra=AWAY)
def delete_file(request: ApiRequest, tenant: Path[str], volume: Path[str], wanted: Query[FilePath]) -> Status[None]:
    """Remove a file, or a folder with all that is in it, for good."""
    room = _room(request, tenant, volume)
    with room.files(to_change=True) as files:
        files.delete(wanted.path)
    folder, _slash, name = wanted.path.rpartition("/")
    note_files_deleted(volume=room.volume, by=room.membership, folder=folder, names=[name])
    return Status(204, None)


def _room(request: ApiRequest, tenant: str, volume: str) -> Room:
    return room_in(member(request, tenant), volume)


def _shown(entry: Entry) -> FileOut:
    return FileOut(
        name=entry.name,
        kind=entry.kind,
        size_bytes=entry.size_bytes,
        modified_at=entry.modified_at,
        version=entry.version,
    )
