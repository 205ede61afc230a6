"""From the click on Launch to an engine that answers, above starting the same engine bare."""

import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from bench.figures import Figure
from tests.stack import Person, Stack, free_port

LAUNCHES = 15
TARGET_MS = 150


def measure() -> list[Figure]:
    """Launch and delete Loom again and again, in turn with bare starts, so that both see the same machine."""
    bare, launched = [], []
    with tempfile.TemporaryDirectory() as scratch, Stack(Path(scratch) / "data") as stack:
        alice = Person(stack)
        alice.sign_in("alice", "demo-portal-1")
        for number in range(LAUNCHES + 1):  # the first of each warms caches and is not counted
            bare.append(bare_start(Path(scratch) / f"bare-{number}"))
            launched.append(launch(stack, alice, f"bench {number}"))
    floor, value = statistics.median(bare[1:]), statistics.median(launched[1:])
    overhead = value - floor
    return [
        Figure("launch: POST to ready, above a bare start", overhead, "ms", floor, f"≤ {TARGET_MS} ms", overhead <= TARGET_MS)
    ]


def bare_start(data: Path) -> float:
    """Milliseconds from spawning Loom to its first answer."""
    port = free_port()
    words = ["--version", "2", "--host", "127.0.0.1", "--port", str(port), "--data-dir", str(data)]
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "engines.demo_engine", *words], stdout=subprocess.DEVNULL) as engine:
        until_ready(f"http://127.0.0.1:{port}/healthz")
        milliseconds = (time.perf_counter() - started) * 1000
        engine.terminate()
    return milliseconds


def until_ready(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.002)
    raise TimeoutError(url)


def launch(stack: Stack, person: Person, name: str) -> float:
    """Milliseconds from sending the launch form to the row that says running, as the page would be told."""
