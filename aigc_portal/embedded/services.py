"""Start and stop PostgreSQL and Valkey together."""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aigc_portal.embedded.account import make_directories
from aigc_portal.embedded.errors import EmbeddedError
from aigc_portal.embedded.layout import Layout, addresses, layout_of
from aigc_portal.embedded.postgres import ensure_database, postgres_server
from aigc_portal.embedded.process import Server
from aigc_portal.embedded.valkey import valkey_server

LEAST_FREE_MIB = 256
REVIVE_ATTEMPTS = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """Which services to run, and how."""

    postgres: bool = True
    valkey: bool = True
    # False is faster, and loses data when the machine stops: for tests.
    durable: bool = True
    # True: they end with this process, even if it is killed.
    owned: bool = True


class Services:
    """The services of one data directory; as a context manager it stops those that it started."""

    def __init__(self, layout: Layout, wanted: Wanted) -> None:
        account = make_directories(layout)
        self.layout = layout
        self.wanted = wanted
        self.addresses = addresses(layout.data_dir)
        self.servers: list[Server] = []
        if wanted.postgres:
            self.servers.append(postgres_server(layout, account, durable=wanted.durable))
        if wanted.valkey:
            self.servers.append(valkey_server(layout, account, durable=wanted.durable))
        self.started: list[Server] = []

    def ensure_running(self) -> list[str]:
        """Start what does not run; return the names of what this call started."""
        require_space(self.layout)
        fresh = [server for server in self.servers if self.ensure_server(server)]
        if self.wanted.postgres:
            ensure_database(self.layout)
        return [server.name for server in fresh]

    def ensure_server(self, server: Server) -> bool:
        """Start one server unless it runs, and remember to stop it."""
        fresh = server.ensure_running(owned=self.wanted.owned)
        if fresh and server not in self.started:
            self.started.append(server)
        return fresh

    def revive(self) -> list[str]:
        """Start again what has died; return the names. Cheap when all is well.

        What dies again while it starts is tried again, up to a limit. EmbeddedError after that.
        """
        for remaining in reversed(range(REVIVE_ATTEMPTS)):
            try:
                return self.ensure_running() if any(server.has_died() for server in self.servers) else []
            except EmbeddedError as error:
                if not remaining:
                    raise
                log.warning("Trying again: %s", error)
        return []

    def stop(self) -> None:
        """Stop what this object started, last first; leave what it found running."""
        while self.started:
            self.started.pop().stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def start(data_dir: Path | str, wanted: Wanted = Wanted()) -> Services:
    """Have the services run on this data directory; attaches to those that already do.

    Call it from the main thread: the kernel ties owned services to the calling thread. Raises EmbeddedError with a
    sentence that says what to do.
    """
    services = Services(layout_of(data_dir), wanted)
    try:
        services.ensure_running()
    except BaseException:
        services.stop()
        raise
    return services


def stop(data_dir: Path | str) -> None:
    """Stop the services of this data directory, whoever started them; does nothing if none run."""
    layout = layout_of(data_dir)
    if layout.data_dir.is_dir():
        services = Services(layout, Wanted())
        services.started = list(services.servers)
        services.stop()


def require_space(layout: Layout) -> None:
    """Refuse to start on a disk so full that PostgreSQL would stop half-way."""
    free_mib = shutil.disk_usage(layout.data_dir).free // 2**20
    if free_mib < LEAST_FREE_MIB:
        raise EmbeddedError(
            f"The disk that holds {layout.data_dir} has {free_mib} MiB free; {LEAST_FREE_MIB} MiB are needed. Free some space."
        )
