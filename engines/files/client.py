"""The files of a volume through the file server beside it: the port Files over HTTP."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError

from engines.files.base import (
    CHUNK_BYTES,
    Chunks,
    Content,
    Entry,
    Extent,
    FileRefusal,
    Listing,
    Order,
    Piece,
    Readable,
    Refusal,
    Usage,
)
from engines.files.wire import ENTRY_HEADER, to_entry, to_refusal

_NOTHING: Mapping[str, str] = {}
_TIMEOUT = urllib3.Timeout(connect=5.0, read=90.0)  # measuring a large volume takes a minute


class RemoteFiles:
    """Speaks to one file server. A server that does not answer is FileRefusal(UNAVAILABLE).

    May be used by many threads at once. Bytes pass through in both directions, never more than a chunk in memory.
    """

    def __init__(self, address: str, token: str) -> None:
        """`address` is host:port."""
        self._base = f"http://{address}/v1/"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=16, timeout=_TIMEOUT, retries=False)

    def close(self) -> None:
        """End the connections."""
        self._pool.clear()

    def list(self, path: str, *, order: Order = Order.NAME, offset: int = 0, limit: int = 100) -> Listing:
        found = self._ask("GET", "list", path=path, order=order, offset=offset, limit=limit)
        return Listing([to_entry(entry) for entry in found["entries"]], found["total"], found["complete"])

    def stat(self, path: str) -> Entry:
        return to_entry(self._ask("GET", "stat", path=path))

    def extent(self, path: str) -> Extent:
        return Extent(**self._ask("GET", "extent", path=path))

    def usage(self) -> Usage:
        return Usage(**self._ask("GET", "usage"))

    def read(self, path: str, *, start: int = 0, length: int | None = None) -> Content:
        if length == 0:
            return Content(self.stat(path), start, 0, Received(None, path))
        ranged = start > 0 or length is not None
        header = {"Range": f"bytes={start}-{'' if length is None else start + length - 1}"} if ranged else {}
        answer = self._open("GET", "file", {"path": path}, headers=header)
        if answer.status == 416:  # nothing lies there, as at the end of a file
            answer.drain_conn()
            entry = self.stat(path)
            return Content(entry, entry.size_bytes, 0, Received(None, path))
        entry = to_entry(json.loads(answer.headers[ENTRY_HEADER]))
        return Content(entry, start, int(answer.headers["Content-Length"]), Received(answer, path))

    def zip(self, path: str, names: Sequence[str] = ()) -> Chunks:
        return Received(self._open("GET", "zip", {"path": path, "name": tuple(names)}), path)

    def write(self, path: str, content: Readable, piece: Piece) -> Entry | None:
        query = {"path": path, "upload": piece.upload, "offset": piece.offset, "size": piece.size_bytes}
        body = _Body(content, piece.length)
        answer = self._open("PUT", "file", query, headers={"Content-Length": str(piece.length)}, body=body)
        made = _read_json(answer, path)["entry"]
        return None if made is None else to_entry(made)

    def abandon(self, path: str, upload: str) -> None:
        self._ask("DELETE", "upload", path=path, upload=upload)

    def make_folder(self, path: str) -> None:
        self._ask("POST", "folder", path=path)

    def rename(self, path: str, name: str) -> None:
        self._ask("POST", "rename", path=path, name=name)

    def delete(self, path: str) -> None:
        self._ask("DELETE", "file", path=path)

    def _ask(self, method: str, what: str, **query: object) -> Any:
        return _read_json(self._open(method, what, query), str(query.get("path", "")))

    def _open(
        self,
        method: str,
        what: str,
        query: Mapping[str, object],
        *,
        headers: Mapping[str, str] = _NOTHING,
        body: Iterable[bytes] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Send a request and return the answer, its body unread; FileRefusal for one that refuses."""
        url = f"{self._base}{what}?{urlencode(query, doseq=True, errors='surrogatepass')}"
        path = str(query.get("path", ""))
        try:
            answer = self._pool.request(method, url, body=body, headers={**self._headers, **headers}, preload_content=False)
        except (HTTPError, OSError) as error:
            raise FileRefusal(Refusal.UNAVAILABLE, path) from error
        if answer.status in {200, 206, 416}:
            return answer
        said = _read_json(answer, path)
        raise to_refusal(said) if "refusal" in said else FileRefusal(Refusal.UNAVAILABLE, path)


class _Body:
    """The bytes of a piece on their way out; fewer than announced is CUT_OFF, and ends the request."""

    def __init__(self, content: Readable, length: int) -> None:
        self._content, self._left = content, length

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        chunk = self._content.read(min(self._left, CHUNK_BYTES))
        if not chunk:
            raise FileRefusal(Refusal.CUT_OFF)
        self._left -= len(chunk)
        return chunk


class Received:
    """The bytes of an answer on their way in; an answer that ends too early is UNAVAILABLE."""

    def __init__(self, answer: urllib3.BaseHTTPResponse | None, path: str) -> None:
        """None: there are no bytes."""
        self._answer, self._path = answer, path
        self._stream = answer.stream(CHUNK_BYTES) if answer else iter(())

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._stream)
        except (HTTPError, OSError) as error:
            self.close()
            raise FileRefusal(Refusal.UNAVAILABLE, self._path) from error

    def close(self) -> None:
        """Give the connection back if all was read, else end it."""
        if self._answer:
            with suppress(HTTPError, OSError):
                self._answer.close()
            self._answer.release_conn()


def _read_json(answer: urllib3.BaseHTTPResponse, path: str) -> Any:
    try:
        return json.loads(answer.read())
    except (HTTPError, OSError, ValueError) as error:
        raise FileRefusal(Refusal.UNAVAILABLE, path) from error
    finally:
        answer.release_conn()
