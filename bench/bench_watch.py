"""Watching a Kubernetes cluster with 10,000 engines: the first list, the memory, and what a busy quiet day costs.

Against the double, a process of its own; beside it, a process that fetches and parses the same bytes and does nothing with them.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.processes import started
from tests.stack import Stack

PODS = 10_000
EVENTS_PER_SECOND = 50
CHANGES_PER_SECOND = EVENTS_PER_SECOND // 2  # each is an event of a Pod and one of its StatefulSet
STEADY_SECONDS = 20
SETTLE_SECONDS = 3
LIST_SECONDS, RSS_MIB, CORE_PERCENT = 10, 300, 5


def measure(_stack: Stack) -> list[Figure]:
    """One after the other on the same cluster, so that neither takes the other's processor."""
    with tempfile.TemporaryDirectory(prefix="aigc-bench-watch-") as scratch:
        double = [sys.executable, "-m", "tests.kubernetes.double", "--state", scratch]
        masses = ["--nodes", "500", "--populate", str(PODS), "--churn", str(CHANGES_PER_SECOND)]
        with started([*double, *masses], stdout=subprocess.PIPE) as server:
            assert server.stdout
            assert server.stdout.readline().startswith("serving")
            kubeconfig = Path(scratch) / "kubeconfig"
            floor, watch = (run(program, kubeconfig) for program in ("floor", "watch"))
    return [
        Figure(f"watch: list {PODS:,} engines", watch["seconds"], "s", floor["seconds"], f"≤ {LIST_SECONDS} s",
               watch["seconds"] <= LIST_SECONDS),
        Figure("watch: memory", watch["rss_mib"], "MiB", floor["rss_mib"], f"≤ {RSS_MIB} MiB", watch["rss_mib"] <= RSS_MIB),
        Figure(f"watch: {EVENTS_PER_SECOND} events a second", watch["cpu"] * 100, "% of a core", floor["cpu"] * 100,
               f"< {CORE_PERCENT} %", watch["cpu"] * 100 < CORE_PERCENT),
    ]  # fmt: skip


def run(program: str, kubeconfig: Path) -> dict[str, Any]:
    """Start a program of bench.watching and ask it what it spent."""
    command = [sys.executable, "-m", "bench.watching", program, str(kubeconfig)]
    with started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        listed = json.loads(process.stdout.readline())
        for seconds in (SETTLE_SECONDS, STEADY_SECONDS):
            time.sleep(seconds)
            process.stdin.write("\n")
            process.stdin.flush()
            spent = json.loads(process.stdout.readline())
    print(f"{program}: {listed['objects']:,} listed, {spent['events_per_second']:.0f} events a second", file=sys.stderr)
    return {**spent, **listed}
