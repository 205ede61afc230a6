"""Files people bring: streamed to the disk in constant memory, hashed on the way."""

import asyncio
import hashlib
import re
from pathlib import Path
from typing import Any, BinaryIO

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from engines.demo_engine.files import disk_full_told, new_file
from engines.demo_engine.parameters import InvalidRequest
from engines.demo_engine.requests import loom_of

WRITE_AT_ONCE = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


async def put_upload(request: Request) -> Response:
    """Create or replace a file; an upload that breaks off leaves the earlier one as it was."""
    loom, path = loom_of(request), _path(request)
    digest, size = hashlib.sha256(), 0
    with new_file(loom.data_dir, path) as file:
        pending = bytearray()
        async for chunk in request.stream():
            pending += chunk
            if len(pending) >= WRITE_AT_ONCE:
                size += await asyncio.to_thread(_write, file, digest, bytes(pending))
                pending.clear()
        size += await asyncio.to_thread(_write, file, digest, bytes(pending))
    return JSONResponse({"name": path.name, "size": size, "sha256": digest.hexdigest()}, 201)


async def get_upload(request: Request) -> Response:
    """The file as it came."""
    path = _path(request)
    if not path.is_file():
        return JSONResponse({"detail": "There is no file of that name."}, 404)
    return FileResponse(path, media_type="application/octet-stream", filename=path.name)


async def list_uploads(request: Request) -> Response:
    """Names and sizes, by name."""
    folder = loom_of(request).data_dir / "uploads"
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return JSONResponse({"uploads": [{"name": path.name, "size": path.stat().st_size} for path in paths]})


def _write(file: BinaryIO, digest: Any, content: bytes) -> int:
    digest.update(content)
    with disk_full_told():
        return file.write(content)


def _path(request: Request) -> Path:
    # Not the route's own parameter: its pattern drops a line break at the end.
    name: str = request.scope["path"].removeprefix("/api/uploads/")
    if not _NAME.fullmatch(name):
        msg = "A name has letters, digits, dots, dashes and underscores, at most 128, and starts with a letter or digit"
        raise InvalidRequest([{"type": "string_pattern_mismatch", "loc": ["path", "name"], "msg": msg, "input": name}])
    return loom_of(request).data_dir / "uploads" / name


routes = [
    Route("/api/uploads", list_uploads, methods=["GET"]),
    Route("/api/uploads/{name:path}", put_upload, methods=["PUT"]),
    Route("/api/uploads/{name:path}", get_upload, methods=["GET"]),
]
