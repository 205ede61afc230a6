"""The whole product on this machine: what runs, in which order, and what is printed."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from honcho.printer import Printer

from aigc_portal.binds import host_and_port, socket_of, uvicorn_options
from aigc_portal.demo_accounts import DEMO_ACCOUNTS, DEMO_PASSWORD
from aigc_portal.embedded import services
from aigc_portal.embedded.errors import EmbeddedError
from aigc_portal.embedded.ports import require_free_port
from aigc_portal.embedded.process import read_pid, take_lock
from aigc_portal.supervisor import Program, Supervisor
from engines.closing import end_local_engines

CATALOG = ["catalog/demo.yaml", "catalog/engines.yaml", "catalog/gpu_classes.yaml"]
DEFAULT_HTTP_PORT = 80
# Live messages are small and go to many: compressing each for each browser costs more than it saves.
WEB_OPTIONS = ["--lifespan", "off", "--ws-per-message-deflate", "false"]
# Only Caddy asks gwauth, and reads nothing of its answers but what gwauth itself puts there.
GWAUTH_OPTIONS = ["--no-proxy-headers", "--no-server-header", "--no-date-header"]
# Workers that share no queue need not look for others when they start.
ALONE = ["--without-gossip", "--without-mingle"]
# After a demo that was killed, its programs need a moment to end.
PORT_WAIT_SECONDS = 10.0


def run_demo(say: Printer) -> None:
    """Start everything, serve until SIGINT or SIGTERM, stop everything. Raises EmbeddedError or StartFailed."""
    os.chdir(settings.BASE_DIR)
    # Logs do not keep the links that let people in, and the demo has no other mailbox.
    os.environ.setdefault("AIGC_EMAIL_URL", f"filemail://{mailbox()}")
    with only_demo(settings.DATA_DIR):
        for port in ports():
            require_free_port(port, wait_seconds=PORT_WAIT_SECONDS)
        wanted = services.Wanted(postgres="DATABASE_URL" not in os.environ, valkey="REDIS_URL" not in os.environ)
        with services.start(settings.DATA_DIR, wanted) as running:
            prepare()
            supervisor = Supervisor(programs(), each_tick=running.revive, printer=say)
            try:
                supervisor.run(announce=announce)
            finally:
                running.revive()  # which engines to end is in the database
                end_local_engines()
                close_database()


@contextmanager
def only_demo(data_dir: Path) -> Iterator[None]:
    """Refuse a second demo on the same data. The lock is the kernel's, so a killed demo leaves none behind."""
    path = data_dir / "demo.lock"
    path.touch()
    lock = take_lock(path)
    if lock is None:
        raise EmbeddedError(f"A demo runs on {data_dir} already (pid {read_pid(path)}). Use it, or end it with Ctrl-C first.")
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    try:
        yield
    finally:
        os.close(lock)


def prepare() -> None:
    """Bring the tables, the catalog and the demo's people up to date; changes nothing that is."""
    call_command("migrate", interactive=False, verbosity=0)
    call_command("load_catalog", *CATALOG)
    call_command("seed_demo", "--history")
    call_command("make_operator_groups", verbosity=0)
    close_database()


def close_database() -> None:
    """Let go of the database: this process only watches from here on."""
    database = connections["default"]
    assert isinstance(database, DatabaseWrapper)  # noqa: S101 - for the type checker; a check refuses other databases
    database.close()
    database.close_pool()


def programs() -> list[Program]:
    """The product's processes. Every one may be killed at any moment and is started again."""
    python = sys.executable
    uvicorn = [python, "-m", "uvicorn", "--no-access-log", "--timeout-graceful-shutdown", "2"]
    celery = [python, "-m", "celery", "--app", "aigc_portal", "--quiet"]
    web, gwauth = settings.PORTAL_BIND, settings.GWAUTH_BIND
    return [
        Program("web", [*uvicorn, *WEB_OPTIONS, *uvicorn_options(web), "aigc_portal.asgi:application"], listens_at=web),
        Program("gwauth", [*uvicorn, *GWAUTH_OPTIONS, *uvicorn_options(gwauth), "gateway.auth:app"], listens_at=gwauth),
        Program("gateway", [python, "manage.py", "gateway"], listens_at=f"127.0.0.1:{portal_port()}"),
        Program(
            "worker",
            [*celery, "worker", "--queues", "provision,billing,default", "--concurrency", "4", "--loglevel", "INFO", *ALONE],
            ready_phrase=" ready.",
        ),
        Program(
            "notifier",
            [*celery, "worker", "--queues", "deliveries", "--concurrency", "2", "--loglevel", "INFO", *ALONE],
            ready_phrase=" ready.",
        ),
        # The timetable is code; beat's own file only remembers when it last ran.
        Program(
            "beat",
            [*celery, "beat", "--schedule", str(settings.DATA_DIR / "beat"), "--pidfile", "", "--loglevel", "INFO"],
            ready_phrase="Starting...",
        ),
        Program("watcher", [python, "manage.py", "watch_clusters"]),
    ]


def announce() -> None:
    """Print where to go and how to sign in."""
    lines = [
        f"{settings.SITE_NAME} is ready:  {settings.PORTAL_ORIGIN}",
        "",
        *(f"{account.username.ljust(7)} {account.role}" for account in DEMO_ACCOUNTS),
        f"Everybody's password: {DEMO_PASSWORD}",
        "",
        f"Data: {settings.DATA_DIR}",
        f"Mail: {mailbox()}",
        "Ctrl-C pauses the engines, stops everything and keeps the data.",
    ]
    width = max(map(len, lines))
    box = [f"│ {line.ljust(width)} │" for line in lines]
    sys.stdout.write("\n".join(["", f"┌{'─' * (width + 2)}┐", *box, f"└{'─' * (width + 2)}┘", "", ""]))
    sys.stdout.flush()


def mailbox() -> Path:
    """Where the demo's mail is written, unless a mail server was named."""
    return Path(settings.DATA_DIR) / "mail"


def ports() -> list[int]:
    """The TCP ports that the demo's own programs listen on."""
    binds = (settings.PORTAL_BIND, settings.GWAUTH_BIND)
    return [portal_port(), *(host_and_port(bind)[1] for bind in binds if socket_of(bind) is None)]


def portal_port() -> int:
    """The port that browsers use."""
    host = settings.PORTAL_HOST
    return host_and_port(host)[1] if ":" in host else DEFAULT_HTTP_PORT
