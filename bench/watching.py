"""Programs of bench_watch, each a process of its own: `python -m bench.watching watch|floor KUBECONFIG`.

Prints a JSON line once everything was listed (seconds), then, when a line comes in, one with the processor time and the events
since, and its memory.
"""

import json
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from engines.clusters.kubernetes.adapter import KubernetesCluster
from engines.clusters.kubernetes.rest import Rest
from engines.clusters.kubernetes.watch import KINDS


class Tally:
    """What happened since somebody last asked."""

    def __init__(self) -> None:
        self.events = 0
        self.process = psutil.Process()
        self.reset()

    def reset(self) -> None:
        self.events, self.began, self.cpu_began = 0, time.monotonic(), self.cpu()

    def cpu(self) -> float:
        spent = self.process.cpu_times()
        return float(spent.user + spent.system)

    def tell(self) -> dict[str, float]:
        seconds = time.monotonic() - self.began
        told = {
            "cpu": (self.cpu() - self.cpu_began) / seconds,
            "events_per_second": self.events / seconds,
            "rss_mib": self.process.memory_info().rss / 2**20,
        }
        self.reset()
        return told


def say(said: dict[str, float]) -> None:
    print(json.dumps(said), flush=True)


def watch(cluster: KubernetesCluster, tally: Tally) -> None:
    """Watch as the product does; ready once the first state of all was told."""
    listed, began = False, time.monotonic()
    last = began
    for seen in cluster.watch():
        if seen is not None:
            tally.events += 1
        elif not listed and tally.events:
            listed = True
            say({"seconds": last - began, "objects": tally.events})
            tally.reset()
        last = time.monotonic()


def floor(cluster: KubernetesCluster, tally: Tally) -> None:
    """Fetch the same pages and streams and parse their JSON; keep nothing."""
    began, heard = time.monotonic(), queue.Queue[str]()
    versions = {}
    objects = 0
    for kind in KINDS:
        for page in cluster.rest.pages(kind.path, **kind.query):
            versions[kind.path] = page.resource_version
            objects += len(page.items)
    say({"seconds": time.monotonic() - began, "objects": objects})
    tally.reset()
    for kind in KINDS:
        threading.Thread(target=read_on, args=(cluster.rest, kind, versions[kind.path], tally, heard), daemon=True).start()
    heard.get()


def read_on(rest: Rest, kind: Any, version: str, tally: Tally, ended: "queue.Queue[str]") -> None:
    query = {"resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": 600, **kind.query}
    for _ in rest.watch(kind.path, silence_seconds=600, **query):
        tally.events += 1
    ended.put(kind.path)


def answer(tally: Tally) -> None:
    for _ in sys.stdin:
        say(tally.tell())


PROGRAMS: dict[str, Callable[[KubernetesCluster, Tally], None]] = {"watch": watch, "floor": floor}

if __name__ == "__main__":
    tally = Tally()
    threading.Thread(target=answer, args=(tally,), daemon=True).start()
    PROGRAMS[sys.argv[1]](KubernetesCluster.from_config("bench", {"kubeconfig": sys.argv[2]}), tally)
