"""Uvicorn, told to start fast and to end with code 0."""

import asyncio
import logging
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from engines.demo_engine.app import create_app
from engines.demo_engine.loom import Loom

log = logging.getLogger("loom")

OPEN_CONNECTIONS_MAY_LAST_SECONDS = 1


class _Server(uvicorn.Server):
    """Stops the engine first, so that open streams end by themselves."""

    def __init__(self, config: uvicorn.Config, loom: Loom, *, stoppable: bool):
        super().__init__(config)
        self._loom = loom
        self._signals = (signal.SIGTERM, signal.SIGINT) if stoppable else (signal.SIGINT,)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Uvicorn's own raises the signal again at the end, and the process would end by it instead of with 0."""
        loop = asyncio.get_running_loop()
        for number in self._signals:
            loop.add_signal_handler(number, self._stop)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say where, once it is true."""
        await super().startup(sockets)
        host, port = (sockets or [])[0].getsockname()[:2]
        log.info("Ready on http://%s:%d/ (Loom %d, data in %s)", host, port, self._loom.version, self._loom.data_dir)

    def _stop(self) -> None:
        log.info("Stopping")
        self.should_exit = True
        self._loom.stop()


def bind(host: str, port: int) -> socket.socket:
    """A bound socket; raises OSError if the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay (40 ms per answer) off only where the socket names its protocol.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def serve(listener: socket.socket, version: int, data_dir: Path, *, stoppable: bool) -> None:
    """Run until a signal."""
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    loom = Loom(version, data_dir)
    config = uvicorn.Config(
        create_app(loom),
        loop="asyncio",
        http="httptools",
        ws=_websocket_protocol,  # type: ignore[arg-type]  # a function in place of the class, to load it at the first page
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=OPEN_CONNECTIONS_MAY_LAST_SECONDS,
    )
    _Server(config, loom, stoppable=stoppable).run(sockets=[listener])


def _websocket_protocol(*args: Any, **kwargs: Any) -> asyncio.Protocol:
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol  # noqa: PLC0415  # a third of start-up

    return WebSocketsSansIOProtocol(*args, **kwargs)
