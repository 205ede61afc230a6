"""The records of a local cluster's workloads on disk."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engines.clusters.base import ClusterUnavailable
from engines.clusters.local.files import locked, read_whole, write_whole
from engines.clusters.local.layout import Layout
from engines.clusters.local.record import Record, from_json, to_json

# Nothing that was under way when a workload was deleted is still under way after this long.
_REMEMBER_SECONDS = 30 * 24 * 3600


class Store:
    """Loads, saves and forgets records. Whoever writes holds the workload's lock; reading needs none."""

    def __init__(self, layout: Layout) -> None:
        """Make the state directory if it is not there."""
        self.layout = layout
        layout.make()

    @contextmanager
    def lock(self, name: str, *, seconds: float = 10.0) -> Iterator[int]:
        """Hold the workload's lock; the descriptor is for the engine's recorder to inherit."""
        with locked(self.layout.lock(name), seconds=seconds) as descriptor:
            yield descriptor

    def names(self) -> list[str]:
        """All workloads that are not forgotten."""
        return sorted(path.parent.name for path in self.layout.workloads.glob("*/record.json"))

    def load(self, name: str) -> Record | None:
        """Read what is known of a workload, a forgotten one included; None if it was never there."""
        return _read(self.layout.record(name)) or _read(self.layout.forgotten(name))

    def save(self, record: Record) -> None:
        """Write a record; what shall not run again stays so through a power failure, which no running engine survives."""
        at_rest = record.live is None or record.live.stop_by is not None
        write_whole(self.layout.record(record.name), to_json(record), durable=at_rest)
        self.ring()

    def forget(self, record: Record) -> None:
        """Keep the epochs and the last run's end, remove everything else; cut off anywhere, the next call finishes it."""
        write_whole(self.layout.forgotten(record.name), to_json(record), durable=True)
        self.discard(record.name)
        self.ring()

    def discard(self, name: str) -> None:
        """Remove the workload's directory, the record first: without one, the rest is litter that the next start replaces."""
        self.layout.record(name).unlink(missing_ok=True)
        shutil.rmtree(self.layout.workload(name), ignore_errors=True)

    def is_forgotten(self, name: str) -> bool:
        return not self.layout.record(name).exists()

    def ring(self) -> None:
        """Tell watchers that something changed."""
        self.layout.bell.touch()
        os.utime(self.layout.bell, ns=(time.time_ns(),) * 2)

    def prune(self) -> None:
        """Drop what was remembered of workloads deleted long ago."""
        for path in (self.layout.root / "forgotten").glob("*.json"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _REMEMBER_SECONDS:
                    path.unlink()


def _read(path: Path) -> Record | None:
    content = read_whole(path)
    try:
        return from_json(content) if content else None
    except (ValueError, KeyError, TypeError) as error:
        raise ClusterUnavailable(f"{path} is damaged: {error}") from error
