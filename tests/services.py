"""The PostgreSQL and Valkey of a test run, started before Django's settings are read: `-p tests.services` in pyproject.

One pair serves all processes of a run and ends with it, even if the run is killed. Each process gets, by variables alone,
its own test database (named by pytest-django), Valkey database and key prefix, data directory, and ports for local engines.
Set DATABASE_URL and REDIS_URL to run the suite on services of your own; the database user must be allowed to create databases.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
import redis

from aigc_portal.embedded import services
from aigc_portal.embedded.layout import with_database

RUN_DIR = "AIGC_TEST_RUN_DIR"
PORTS_PER_PROCESS = 40


def worker_number() -> int:
    """0 without xdist and in its controller; 1, 2, … in its workers."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    return int(worker.removeprefix("gw")) + 1 if worker else 0


def start_services() -> None:
    """Start what is not configured; workers inherit the controller's variables."""
    run_dir = Path(tempfile.mkdtemp(prefix="aigc-tests-"))
    os.environ[RUN_DIR] = str(run_dir)
    running = None
    wanted = services.Wanted(postgres="DATABASE_URL" not in os.environ, valkey="REDIS_URL" not in os.environ, durable=False)
    if wanted.postgres or wanted.valkey:
        run_dir.chmod(0o711)  # PostgreSQL runs under another account when the suite runs as root
        running = services.start(run_dir / "services", wanted)
        os.environ.setdefault("DATABASE_URL", running.addresses.database_url)
        os.environ.setdefault("REDIS_URL", running.addresses.redis_url)

    controller = os.getpid()

    def end() -> None:
        if os.getpid() != controller:  # a forked child of a test is not the run
            return
        if running:
            running.stop()
        shutil.rmtree(run_dir, ignore_errors=True)

    atexit.register(end)


def set_variables(number: int) -> None:
    """Give this process what it must not share with the others."""
    run_dir = Path(os.environ[RUN_DIR])
    os.environ["REDIS_URL"] = with_database(os.environ["REDIS_URL"], number)
    os.environ["AIGC_REDIS_PREFIX"] = f"test{number}"
    os.environ["AIGC_DATA_DIR"] = str(run_dir / f"data{number}")
    # Runs side by side on one machine seldom meet, and the port pool passes over what is taken.
    first = 12_000 + int(run_dir.stat().st_ino) % 50 * 400 + number % 10 * PORTS_PER_PROCESS
    os.environ["AIGC_LOCAL_PORT_FIRST"] = str(first)
    os.environ["AIGC_LOCAL_PORT_LAST"] = str(first + PORTS_PER_PROCESS - 1)


if "PYTEST_XDIST_WORKER" not in os.environ:
    start_services()
set_variables(worker_number())


@pytest.fixture
def valkey() -> redis.Redis:
    """A client of this process's own, empty Valkey database."""
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    client.flushdb()
    yield client
    client.flushdb()
    client.close()
