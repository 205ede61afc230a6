"""Start and stop PostgreSQL and Valkey together."""

import shutil
from pathlib import Path
from typing import Self

from aigc_portal.embedded.account import make_directories
from aigc_portal.embedded.errors import EmbeddedError
from aigc_portal.embedded.layout import Layout, addresses, layout_of
from aigc_portal.embedded.postgres import ensure_database, postgres_server
from aigc_portal.embedded.process import Server
from aigc_portal.embedded.valkey import valkey_server

LEAST_FREE_MIB = 256


class Services:
    """The running services of one data directory; as a context manager it stops those that it started."""

    def __init__(self, layout: Layout, *, durable: bool, owned: bool) -> None:
        require_space(layout)
        account = make_directories(layout)
        self.layout = layout
        self.owned = owned
        self.addresses = addresses(layout.data_dir)
        self.postgres = postgres_server(layout, account, durable=durable)
        self.valkey = valkey_server(layout, account, durable=durable)
        self.started: list[Server] = []

    def ensure_running(self) -> list[str]:
        """Start whatever does not run; return the names of what this call started."""
        fresh = [server for server in (self.postgres, self.valkey) if server.ensure_running(owned=self.owned)]
        self.started += [server for server in fresh if server not in self.started]
        ensure_database(self.layout)
        return [server.name for server in fresh]

    def revive(self) -> list[str]:
        """Start again what has died since this object started it; return the names. Cheap when all is well."""
        if not any(server.has_died() for server in self.started):
            return []
        return self.ensure_running()

    def stop(self) -> None:
        """Stop what this object started; leave what it found running."""
        while self.started:
            self.started.pop().stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def start(data_dir: Path | str, *, durable: bool = True, owned: bool = True) -> Services:
    """Have PostgreSQL and Valkey run on this data directory; attaches to those that already do.

    `owned` services end with this process, even if it is killed. Call it from the main thread: the kernel ties them to
    the calling thread. Raises EmbeddedError with a sentence that says what to do.
    """
    services = Services(layout_of(data_dir), durable=durable, owned=owned)
    try:
        services.ensure_running()
    except BaseException:
        services.stop()
        raise
    return services


def stop(data_dir: Path | str) -> None:
    """Stop the services of this data directory, whoever started them; does nothing if none run."""
    layout = layout_of(data_dir)
    if not layout.data_dir.is_dir():
        return
    account = make_directories(layout)
    valkey_server(layout, account, durable=True).stop()
    postgres_server(layout, account, durable=True).stop()


def require_space(layout: Layout) -> None:
    """Refuse to start on a disk so full that PostgreSQL would stop half-way."""
    existing = next(path for path in (layout.data_dir, *layout.data_dir.parents) if path.is_dir())
    free_mib = shutil.disk_usage(existing).free // 2**20
    if free_mib < LEAST_FREE_MIB:
        raise EmbeddedError(
            f"The disk that holds {existing} has {free_mib} MiB free; {LEAST_FREE_MIB} MiB are needed. Free some space."
        )
