"""Requests to a file server: their addresses, their bodies, and what is answered."""

import json
import logging
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BufferedIOBase
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from engines.files.base import CHUNK_BYTES, FileRefusal, Order, Piece
from engines.files.ranges import BadRange, parse_range
from engines.files.wire import ENTRY_HEADER, STATUS, from_entry, from_refusal

if TYPE_CHECKING:
    from engines.files.server import FileServer

log = logging.getLogger(__name__)
MAX_LISTED = 1000
Answer = dict[str, Any]


_SKIPPED_BYTES = 64 * 1024 * 1024


class _Body:
    """A request's body, which is not read beyond its end."""

    def __init__(self, stream: BufferedIOBase, length: int) -> None:
        self._stream, self.left = stream, length

    def read(self, size: int, /) -> bytes:
        chunk = self._stream.read(min(size, self.left))
        self.left -= len(chunk)
        return chunk


class BadRequest(Exception):
    """A parameter is missing or malformed."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "aigc-files"
    sys_version = ""
    timeout = 60  # a peer that neither sends nor takes a byte for so long is gone
    server: "FileServer"

    def do_GET(self) -> None:
        if self.path == "/healthz":  # asked by the cluster all the time: no use
            self._send_json(200, {"ok": True})
        else:
            self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name for it
        """Paths are people's own: nothing is logged of a request that went well."""

    def _serve(self) -> None:
        address = urlsplit(self.path)
        # Bytes that are not text stay what they are, and are refused as part of a path.
        self._query = parse_qs(address.query, keep_blank_values=True, max_num_fields=2000, errors="surrogateescape")
        self._started = False
        self._body: _Body | None = None
        route = _ROUTES.get((self.command, address.path))
        if not self.server.knows(self.headers.get("Authorization", "")):
            self._refuse(HTTPStatus.UNAUTHORIZED)
        elif route is None:
            self._refuse(HTTPStatus.NOT_FOUND)
        elif not self.server.work(lambda: self._run(route)):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)

    def _run(self, route: "Route") -> None:
        try:
            route(self)
        except FileRefusal as refusal:
            if self._started:
                # The length was promised or the last chunk is missing: cutting the connection says that this is not all.
                self.close_connection = True
                log.warning("a transfer was cut off: %s", refusal)
                return
            self._skip_body()
            self._send_json(STATUS[refusal.refusal], from_refusal(refusal))
        except (BadRequest, ValueError):
            self._refuse(HTTPStatus.BAD_REQUEST)

    def _skip_body(self) -> None:
        """Read what is left of a body: closing on unread bytes would tear the refusal from the peer's hands."""
        if self._body is not None and self._body.left > _SKIPPED_BYTES:
            self.close_connection = True
        elif self._body is not None:
            while self._body.read(CHUNK_BYTES):
                pass

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True
        self._send_json(status, {"error": status.phrase})

    def _one(self, name: str, default: str | None = None) -> str:
        values = self._query.get(name, [] if default is None else [default])
        if len(values) != 1:
            raise BadRequest(name)
        return values[0]

    def _send_json(self, status: int, answer: Answer) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    # --- the routes ---

    def _list(self) -> None:
        limit = min(int(self._one("limit", "100")), MAX_LISTED)
        order = Order(self._one("order", Order.NAME))
        found = self.server.store.list(self._one("path"), order=order, offset=int(self._one("offset", "0")), limit=limit)
        entries = [from_entry(entry) for entry in found.entries]
        self._send_json(200, {"entries": entries, "total": found.total, "complete": found.complete})

    def _stat(self) -> None:
        self._send_json(200, from_entry(self.server.store.stat(self._one("path"))))

    def _extent(self) -> None:
        self._send_json(200, vars(self.server.store.extent(self._one("path"))))

    def _usage(self) -> None:
        self._send_json(200, vars(self.server.store.usage()))

    def _read(self) -> None:
        store, path = self.server.store, self._one("path")
        size_bytes = store.stat(path).size_bytes
        try:
            wanted = parse_range(self.headers.get("Range", ""), size_bytes)
        except BadRange:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size_bytes}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = store.read(path, start=wanted[0], length=wanted[1]) if wanted else store.read(path)
        try:
            self._started = True
            self.send_response(HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK)
            if wanted:
                last = content.start + content.length - 1
                self.send_header("Content-Range", f"bytes {content.start}-{last}/{content.entry.size_bytes}")
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(content.length))
            self.send_header(ENTRY_HEADER, json.dumps(from_entry(content.entry)))
            self.end_headers()
            for chunk in content.chunks:
                self.wfile.write(chunk)
        finally:
            content.chunks.close()

    def _zip(self) -> None:
        chunks = self.server.store.zip(self._one("path"), self._query.get("name", []))
        try:
            self._started = True
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/zip")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for chunk in chunks:
                if chunk:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            self.wfile.write(b"0\r\n\r\n")
        finally:
            chunks.close()

    def _write(self) -> None:
        length = self.headers.get("Content-Length")
        if length is None:
            raise BadRequest("Content-Length")
        piece = Piece(self._one("upload"), int(self._one("offset")), int(length), int(self._one("size")))
        self._body = _Body(self.rfile, piece.length)
        made = self.server.store.write(self._one("path"), self._body, piece)
        self._send_json(200, {"entry": from_entry(made) if made else None})

    def _abandon(self) -> None:
        self._done(self.server.store.abandon, self._one("path"), self._one("upload"))

    def _make_folder(self) -> None:
        self._done(self.server.store.make_folder, self._one("path"))

    def _rename(self) -> None:
        self._done(self.server.store.rename, self._one("path"), self._one("name"))

    def _delete(self) -> None:
        self._done(self.server.store.delete, self._one("path"))

    def _done(self, action: Callable[..., None], *arguments: str) -> None:
        action(*arguments)
        self._send_json(200, {"ok": True})


Route = Callable[[Handler], None]
# ruff: noqa: SLF001 - the routes are the handler's own methods
_ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/v1/list"): Handler._list,
    ("GET", "/v1/stat"): Handler._stat,
    ("GET", "/v1/extent"): Handler._extent,
    ("GET", "/v1/usage"): Handler._usage,
    ("GET", "/v1/file"): Handler._read,
    ("GET", "/v1/zip"): Handler._zip,
    ("PUT", "/v1/file"): Handler._write,
    ("DELETE", "/v1/upload"): Handler._abandon,
    ("POST", "/v1/folder"): Handler._make_folder,
    ("POST", "/v1/rename"): Handler._rename,
    ("DELETE", "/v1/file"): Handler._delete,
}
