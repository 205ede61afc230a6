"""The minute's look of idle release at thousands of running engines, above one statement that writes the same rows."""

import json
import statistics
import subprocess
import sys
from urllib.parse import urlsplit

import psycopg

from aigc_portal.embedded.layout import DATABASE as DATABASE_USER
from aigc_portal.embedded.layout import addresses
from bench.figures import Figure
from bench.processes import started
from tests.stack import Stack

DATABASE = "bench_look"
RUNNING = 2_600
TARGET_SECONDS = 5


def measure(stack: Stack) -> list[Figure]:
    """In a database of its own beside the product's, looks and floors in turn."""
    url = addresses(stack.data_dir).database_url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
    own = {
        "DJANGO_SETTINGS_MODULE": "aigc_portal.settings",
        "DATABASE_URL": f"postgresql://{DATABASE_USER}@/{DATABASE}?{urlsplit(url).query}",
        "AIGC_REDIS_PREFIX": DATABASE,
    }
    command = [sys.executable, "-m", "bench.looking", str(RUNNING)]
    with started(command, env=stack.environment | own, stdout=subprocess.PIPE) as process:
        assert process.stdout
        samples = json.loads(process.stdout.readline())
    value, floor = statistics.median(samples["look"]), statistics.median(samples["floor"])
    return [
        Figure(
            f"look: {RUNNING:,} running engines",
            value,
            "ms",
            floor,
            f"≤ {TARGET_SECONDS} s",
            value <= TARGET_SECONDS * 1000,
        )
    ]
