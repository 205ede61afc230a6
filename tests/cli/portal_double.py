"""A server that gives the answers of a portal under load, half dead, or of another kind: those that cannot be had on demand."""

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

LOST = "lost"
"""In place of an answer: the connection ends."""


@dataclass
class Answer:
    """What is sent: JSON, or text as it is."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Seen:
    """What came."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


def problem(status: int, code: str, detail: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail}
    return Answer(status, body, {"Content-Type": "application/problem+json"} | named)


class PortalDouble:
    """Give the answers in turn, and keep what was asked; when they are over, every connection is lost."""

    def __init__(self) -> None:
        self.answers: list[Answer | str] = []
        self.seen: list[Seen] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def will(self, *answers: Answer | str) -> None:
        self.answers = list(answers)

    def lists(self, *items: dict[str, Any]) -> Answer:
        return Answer(200, {"items": list(items), "next_cursor": None})

    def sent(self, header: str) -> list[str | None]:
        return [each.headers.get(header.lower()) for each in self.seen]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        double = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                double.seen.append(Seen(self.command, self.path, headers, self.rfile.read(length).decode()))
                given = double.answers.pop(0) if double.answers else LOST
                self.close_connection = True
                if isinstance(given, Answer):
                    self._send(given)

            def _send(self, given: Answer) -> None:
                content = given.body if isinstance(given.body, str) else json.dumps(given.body)
                self.send_response(given.status)
                for name, value in ({"Content-Type": "application/json"} | given.headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content.encode())))
                self.end_headers()
                self.wfile.write(content.encode())

            def log_message(self, *_: object) -> None:
                pass

            do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - names of http.server

        return Handler


def stream(events: Iterable[tuple[str, str]]) -> Answer:
    """Server-sent events, each with its cursor."""
    text = "retry: 500\n\n" + "".join(f"id: {cursor}\ndata: {json.dumps(said)}\n\n" for cursor, said in events)
    return Answer(200, text, {"Content-Type": "text/event-stream"})
