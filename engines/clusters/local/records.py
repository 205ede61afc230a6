"""What is written down about a workload: one JSON file, replaced as a whole."""

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engines.clusters.local.files import read_json, write_json
from engines.reasons import Reason


@dataclass(frozen=True)
class Run:
    """One life of an engine. Moments are Unix seconds; `stop_by` is when a requested stop is forced."""

    run_id: str
    port: int
    started_at: float
    devices: list[int] = field(default_factory=list)
    ready_at: float | None = None
    stop_by: float | None = None
    over: bool = False
    ended_at: float | None = None
    reason: str = ""
    evidence: str = ""


@dataclass(frozen=True)
class Record:
    """The last applied epoch and its run; `stopped_epoch` is the newest epoch that may not be applied any more."""

    epoch: int = 0
    stopped_epoch: int = 0
    health_path: str = "/"
    volume: str = ""
    deleted: bool = False  # forgotten once the run is over; what stays keeps late epochs out
    run: Run | None = None

    @property
    def stop_requested(self) -> bool:
        """The last applied epoch is not wanted any more."""
        return self.stopped_epoch >= self.epoch


def load(path: Path) -> Record | None:
    """Read a record, or None if there is none."""
    content: dict[str, Any] | None = read_json(path)
    if content is None:
        return None
    run = content.pop("run")
    return Record(**content, run=Run(**run) if run else None)


def save(path: Path, record: Record) -> None:
    """Write a record."""
    write_json(path, asdict(record))


def ended(run: Run, *, at: float | None, reason: Reason, evidence: str) -> Run:
    """The run, over."""
    return replace(run, over=True, ended_at=at, reason=reason, evidence=evidence)


def moment(seconds: float | None) -> datetime | None:
    """Unix seconds as an aware moment."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
