"""HTTP/1.1 on one event loop, with what a server double needs and a framework hides.

A response may be a stream that anybody writes to later (a watch costs no task), a connection may be cut at any point, and a
request is answered from a plain function. Parsing is httptools, the parser that uvicorn uses.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

import httptools
import yaml

from tests.kubernetes.double.listening import Listener

MOST_UNSENT_BYTES = 256 * 1024 * 1024
REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass
class Request:
    """What a client asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def document(self) -> Any:
        """Read the body, JSON or YAML; None without one. ValueError for what is neither."""
        if not self.body:
            return None
        if "yaml" in self.headers.get("content-type", "") and self.body.lstrip()[:1] not in (b"{", b"["):
            try:
                return yaml.load(self.body, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            except yaml.YAMLError as error:
                raise ValueError(str(error)) from error
        return json.loads(self.body)


def flag(query: Mapping[str, str], name: str) -> bool:
    """Read a parameter as Go's ParseBool does; clients write `true`, `True` and `1`."""
    return query.get(name, "") in ("1", "t", "T", "true", "True", "TRUE")


class Exchange:
    """One request and the means to answer it: once, as a stream, or not at all."""

    def __init__(self, connection: "Connection", request: Request) -> None:
        self.connection, self.request = connection, request
        self.finished = False
        self.on_end: Callable[[], None] = lambda: None

    def respond(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Answer at once."""
        self.head(status, {"Content-Type": "application/json", **(headers or {}), "Content-Length": str(len(body))})
        self.connection.send(body)
        self.done()

    def stream(self) -> None:
        """Begin an answer of unknown length."""
        self.head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})

    def write(self, chunk: bytes) -> None:
        """Send a piece of a stream."""
        self.connection.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))

    def finish(self) -> None:
        """End a stream as it should."""
        if not self.finished:
            self.connection.send(b"0\r\n\r\n")
            self.done()

    def abort(self) -> None:
        """Cut the connection, whatever was sent so far."""
        self.connection.abort()

    def head(self, status: int, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}", *(f"{name}: {value}" for name, value in headers.items())]
        self.connection.send("\r\n".join([*lines, "", ""]).encode())

    def done(self) -> None:
        self.end()
        self.connection.next()

    def end(self) -> None:
        """Tell once that nothing more can be sent."""
        if not self.finished:
            self.finished = True
            self.on_end()


class Connection(asyncio.Protocol):
    """One client; requests are answered one after the other."""

    def __init__(self, server: "HttpServer") -> None:
        self.server = server
        self.transport: asyncio.Transport | None = None
        self.parser = httptools.HttpRequestParser(self)
        self.current: Exchange | None = None
        self.waiting: list[tuple[Request, bool]] = []
        self.keep_alive = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.connections.discard(self)
        self.transport = None
        if self.current:
            self.current.end()

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.abort()

    # what the parser calls

    def on_message_begin(self) -> None:
        self.url, self.body, self.headers = b"", [], {}

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        path, _, query = self.url.decode().partition("?")
        method = self.parser.get_method().decode()
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        request = Request(method, unquote(path), parameters, self.headers, b"".join(self.body))
        self.waiting.append((request, self.parser.should_keep_alive()))
        if self.current is None:
            self.next()

    # sending

    def next(self) -> None:
        """Take the next request of this connection, if there is one."""
        self.current = None
        if not self.keep_alive and self.transport:
            self.transport.close()
        elif self.waiting:
            request, self.keep_alive = self.waiting.pop(0)
            self.current = Exchange(self, request)
            self.server.handle(self.current)

    def send(self, data: bytes) -> None:
        if self.transport is None:
            return
        self.transport.write(data)
        if self.transport.get_write_buffer_size() > MOST_UNSENT_BYTES:
            self.abort()

    def abort(self) -> None:
        if self.transport:
            self.transport.abort()


class HttpServer:
    """Listens on loopback and gives each request to one function."""

    def __init__(self, handle: Callable[[Exchange], None]) -> None:
        self.handle = handle
        self.connections: set[Connection] = set()
        self.port = 0
        self._listener: Listener | None = None

    def listen(self, port: int) -> None:
        self._listener = Listener(lambda: Connection(self), "127.0.0.1", port or self.port, backlog=1024)
        self.port = self._listener.port

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._listener:
            await self._listener.close()
            self._listener = None
        for connection in list(self.connections):
            connection.abort()
