"""One directory over HTTP, for its portal alone: what a file room's Pod runs beside the volume.

`python -m engines.files.server --root /data --port 8080 --token-file /run/token --idle-seconds 600`. Ends by itself after
`--idle-seconds` without a request; on SIGTERM it finishes what it is doing. Needs nothing but Python: no Django, no database.
"""

import argparse
import hashlib
import hmac
import logging
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from engines.files.handler import Handler
from engines.files.store import Store

log = logging.getLogger("engines.files.server")
MAX_AT_ONCE = 64
LAST_TRANSFERS_SECONDS = 20.0  # may take this long after SIGTERM


class FileServer(ThreadingHTTPServer):
    """Serves one directory to whoever has the token; many requests at once, each in its thread."""

    daemon_threads = True  # threads that only wait for another request on their connection hold nobody up
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], root: Path, *, token_sha256: str, idle_seconds: float) -> None:
        """`token_sha256` is the hexadecimal digest of the token, so that the token itself need not be known here."""
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)
        self.store = Store(root)
        self._token_sha256 = token_sha256
        self._idle_seconds = idle_seconds
        self._gate = threading.Condition()
        self._busy = 0
        self._last_use = time.monotonic()

    def knows(self, authorization: str) -> bool:
        """Tell whether a request bears the token."""
        kind, _, token = authorization.partition(" ")
        digest = hashlib.sha256(token.encode(errors="replace")).hexdigest()
        return kind == "Bearer" and hmac.compare_digest(digest, self._token_sha256)

    def work(self, job: Callable[[], None]) -> bool:
        """Do a job, which counts as use; False if too many are being done."""
        with self._gate:
            if self._busy >= MAX_AT_ONCE:
                return False
            self._busy += 1
        try:
            job()
        finally:
            with self._gate:
                self._busy -= 1
                self._last_use = time.monotonic()
                self._gate.notify_all()
        return True

    def serve_until_idle(self) -> None:
        """Serve until nobody has asked for anything for a while, or until `shutdown`; then end what is under way."""
        threading.Thread(target=self._shut_down_when_idle, daemon=True).start()
        self.serve_forever(poll_interval=0.1)
        self.server_close()
        with self._gate:
            self._gate.wait_for(lambda: not self._busy, timeout=LAST_TRANSFERS_SECONDS)

    def _shut_down_when_idle(self) -> None:
        with self._gate:
            while self._busy or self._idle_left() > 0:
                self._gate.wait(None if self._busy else self._idle_left())
        log.info("nobody has asked for anything for %g s", self._idle_seconds)
        self.shutdown()

    def _idle_left(self) -> float:
        return self._last_use + self._idle_seconds - time.monotonic()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - as the library calls it
        """A peer that went away in the middle is nothing to tell of; anything else is."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            log.error("a request failed", exc_info=error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until idle."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    os.umask(0o002)  # the engine may run as another user of the same group
    digest = options.token_sha256 or hashlib.sha256(options.token_file.read_text().strip().encode()).hexdigest()
    server = FileServer((options.host, options.port), options.root, token_sha256=digest, idle_seconds=options.idle_seconds)
    # `shutdown` waits for the loop that this thread runs.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    log.info("serving %s on port %d", options.root, server.server_port)
    server.serve_until_idle()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="engines.files.server", description="Serve one directory to its portal.")
    parser.add_argument("--root", type=Path, required=True, help="the directory")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")  # noqa: S104 - a Pod has nothing but its network
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--idle-seconds", type=float, default=600.0, help="end after so long without a request")
    token = parser.add_mutually_exclusive_group(required=True)
    token.add_argument("--token-file", type=Path, help="file with the token that requests must bear")
    token.add_argument("--token-sha256", type=_digest, help="its SHA-256 instead, which need not be kept secret")
    return parser


def _digest(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError("64 hexadecimal digits are wanted")
    return text


if __name__ == "__main__":
    sys.exit(main())
