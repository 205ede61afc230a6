"""Somebody's program that takes webhooks: a real HTTP server on this machine that answers as it is told."""

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Request:
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """What came, and how to answer next: a status, perhaps with headers; 200 when nothing is left to say."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    answers: deque[tuple[int, Mapping[str, str]]] = field(default_factory=deque)
    drips: bool = False
    released: threading.Event = field(default_factory=threading.Event)

    def answer(self, status: int, **headers: str) -> None:
        self.answers.append((status, {name.replace("_", "-"): value for name, value in headers.items()}))

    @property
    def ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.requests]


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.requests.append(Request(self.path, headers, body))
            if receiver.drips:
                self.drip()
                return
            status, answered = receiver.answers.popleft() if receiver.answers else (200, {})
            self.send_response(status)
            for name, value in answered.items():
                self.send_header(name, value)
            self.end_headers()

        def drip(self) -> None:
            """Headers without end, each in good time."""
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not receiver.released.wait(0.05):
                try:
                    self.wfile.write(b"x: y\r\n")
                except OSError:
                    return

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook?of=acme"
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
