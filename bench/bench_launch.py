"""From sending the launch form to the page that says running, above starting the same engine bare."""

import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from bench.desk import Desk
from bench.figures import Figure
from tests.stack import ROOT, Stack, free_port

LAUNCHES = 15
TARGET_MS = 150
READY_SECONDS = 30


def measure(stack: Stack) -> list[Figure]:
    """Launch and delete Loom again and again, in turn with bare starts, so that both see the same machine."""
    bare, launched = [], []
    with tempfile.TemporaryDirectory(prefix="aigc-bench-bare-") as scratch, Desk(stack) as desk:
        for number in range(LAUNCHES + 1):
            bare.append(bare_start(Path(scratch) / str(number)))
            instance = desk.launch(f"bench {number}")
            launched.append(instance.seconds * 1000)
            desk.delete(instance)
    # The first of each warms caches and is not counted.
    floor, value = statistics.median(bare[1:]), statistics.median(launched[1:])
    overhead = value - floor
    return [
        Figure(
            "launch: form sent to page told, above a bare start",
            overhead,
            "ms",
            floor,
            f"≤ {TARGET_MS} ms",
            overhead <= TARGET_MS,
        )
    ]


def bare_start(data: Path) -> float:
    """Milliseconds from spawning Loom to its first answer."""
    port = free_port()
    command = [sys.executable, "-m", "engines.demo_engine", "--version", "2", "--port", str(port), "--data-dir", str(data)]
    started = time.monotonic()
    engine = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until_ready(f"http://127.0.0.1:{port}/healthz")
        return (time.monotonic() - started) * 1000
    finally:
        engine.terminate()
        engine.wait(READY_SECONDS)


def until_ready(url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.002)
    raise TimeoutError(url)
