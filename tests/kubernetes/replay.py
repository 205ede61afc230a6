"""Recordings of a real cluster, played back as a watcher hears them: the latest object of each kind, on streams of their own."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engines.clusters.base import Observation
from engines.clusters.kubernetes.observe import observe
from engines.clusters.kubernetes.seen import Seen, Settings

RECORDINGS = Path(__file__).parent / "recordings"
SCENARIOS = sorted(path.stem for path in RECORDINGS.glob("*.jsonl") if path.stem != "api-errors")
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
NAMESPACE = "aigc-acme"

Json = dict[str, Any]
Keep = Callable[[str, Json], Json]


@dataclass
class World:
    """What a watcher holds of one workload."""

    name: str
    settings: Settings = field(default_factory=Settings)
    held: dict[tuple[str, str], Json] = field(default_factory=dict)
    gone: list[Json] = field(default_factory=list)

    def hear(self, kind: str, change: str, obj: Json) -> None:
        key = kind, obj["metadata"]["uid"]
        if change != "DELETED":
            self.held[key] = obj
        elif self.held.pop(key, None) and kind == "Pod":
            self.gone.append(obj)

    def of(self, kind: str) -> list[Json]:
        return [obj for (held, _), obj in self.held.items() if held == kind]

    def seen(self, **more: Any) -> Seen:
        sets = self.of("StatefulSet")
        return Seen(
            self.name,
            NAMESPACE,
            sets[-1] if sets else None,
            self.of("Pod"),
            gone=self.gone,
            events=self.of("Event"),
            settings=self.settings,
            **more,
        )


def recorded(scenario: str) -> Iterator[tuple[str, str, Json]]:
    """Yield kind, type and object of each change."""
    with (RECORDINGS / f"{scenario}.jsonl").open() as lines:
        for line in map(json.loads, lines):
            yield line["kind"], line["type"], line["object"]


def workloads(scenario: str) -> list[str]:
    """Names of the StatefulSets that a recording makes."""
    return sorted(
        {obj["metadata"]["name"] for kind, change, obj in recorded(scenario) if (kind, change) == ("StatefulSet", "ADDED")}
    )


def worlds(scenario: str, name: str, *, keep: Keep = lambda _, obj: obj, settings: Settings | None = None) -> Iterator[World]:
    """Yield the same world after each change that is about the workload."""
    world = World(name, settings or Settings())
    for kind, change, obj in recorded(scenario):
        about = obj["involvedObject"]["name"] if kind == "Event" else obj["metadata"]["name"]
        if about in {name, f"{name}-0"}:
            world.hear(kind, change, keep(kind, obj))
            yield world


def play(scenario: str, name: str, *, settings: Settings | None = None, keep: Keep = lambda _, obj: obj) -> list[Observation]:
    """Return the observations that a watcher yields: each that differs from the one before."""
    told: list[Observation] = []
    for world in worlds(scenario, name, keep=keep, settings=settings):
        seen = replace(observe(world.seen(), now=NOW), observed_at=NOW)
        if not told or seen != told[-1]:
            told.append(seen)
    return told


def steps(told: list[Observation]) -> list[tuple[str, str | None, int]]:
    """Return phase, reason and number of the run of each step; the run is 0 where there is none."""
    runs: list[str] = [""]
    found: list[tuple[str, str | None, int]] = []
    for seen in told:
        if seen.run_id not in runs:
            runs.append(seen.run_id)
        step = (str(seen.phase), str(seen.reason) if seen.reason else None, runs.index(seen.run_id))
        if not found or found[-1] != step:
            found.append(step)
    return found
