"""One workload's directory: what was asked, what runs, and every change of either, under the workload's lock."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from engines.clusters.base import Observation, Phase
from engines.clusters.local import logs, processes, records
from engines.clusters.local.files import is_locked, locked
from engines.clusters.local.records import Record, Run
from engines.reasons import Reason

_OVER_BY_SIGNAL = 128


class Workload:
    """A name's directory below the cluster's root; it exists on disk from the first apply, stop or delete on."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.name = directory.name
        self._cached: tuple[int, Record] | None = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other writer of this workload out."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(self.directory / "lock"):
            yield

    @property
    def record(self) -> Record:
        """What is written down now; read from disk only when it has changed there."""
        path = self.directory / "record.json"
        try:
            changed = path.stat().st_mtime_ns
        except FileNotFoundError:
            return Record()
        if self._cached is None or self._cached[0] != changed:
            self._cached = (changed, records.load(path) or Record())
        return self._cached[1]

    def save(self, record: Record) -> None:
        """Write it down; call it under the lock."""
        records.save(self.directory / "record.json", record)
        self._cached = None

    def run_directory(self, run: Run) -> Path:
        return self.directory / f"run-{run.run_id}"

    def log(self, run: Run) -> Path:
        return self.run_directory(run) / "log"

    # --- what is so -------------------------------------------------------------------------------------------------

    def alive(self, run: Run) -> bool:
        """Some process of the run has not ended: it holds the lock it was born with."""
        return is_locked(self.run_directory(run) / "alive")

    def begun(self, run: Run) -> bool:
        """The run was really started, whatever became of it."""
        return (self.run_directory(run) / "begun").exists()

    def phase(self, record: Record) -> Phase:
        """The phase that the record and the processes amount to."""
        run = record.run
        if run is None or (run.over and record.stop_requested):
            return Phase.GONE
        if run.over:
            return Phase.EXITED
        if record.stop_requested:
            return Phase.STOPPING
        if run.ready_at is not None:
            return Phase.READY
        return Phase.STARTING if self.alive(run) else Phase.PENDING

    def observation(self) -> Observation:
        """What can be said of it now."""
        record = self.record
        run = record.run
        seen = Observation(
            name=self.name, phase=self.phase(record), epoch=max(record.epoch, record.stopped_epoch), observed_at=datetime.now(UTC)
        )
        if run is None:
            return seen
        return replace(
            seen,
            epoch=record.epoch,
            run_id=run.run_id,
            upstream=f"127.0.0.1:{run.port}",
            started_at=records.moment(run.started_at),
            ready_at=records.moment(run.ready_at),
            ended_at=records.moment(run.ended_at),
            reason=Reason(run.reason) if run.reason else None,
            evidence=run.evidence,
        )

    # --- changes, all under the lock --------------------------------------------------------------------------------

    def request_stop(self, record: Record, *, epoch: int, grace_seconds: float, forget: bool) -> None:
        """Write the request down, then ask the engine; a shorter grace than before wins."""
        run = record.run
        stop_by = time.time() + grace_seconds
        if run is not None and not run.over:
            run = replace(run, stop_by=min(stop_by, run.stop_by) if run.stop_by else stop_by)
        self.save(replace(record, stopped_epoch=max(record.stopped_epoch, epoch), deleted=record.deleted or forget, run=run))
        if run is not None and not run.over:
            processes.send(run.run_id, signal.SIGKILL if grace_seconds <= 0 else signal.SIGTERM)

    def force_if_due(self, record: Record) -> None:
        """End by force what has outlived its grace."""
        run = record.run
        if run is not None and run.stop_by is not None and not run.over and time.time() >= run.stop_by:
            processes.send(run.run_id, signal.SIGKILL)

    def settle_end(self, record: Record) -> bool:
        """If the engine has ended, end what it left behind and write the end down; True once nothing of the run is left."""
        run = record.run
        if run is None or run.over or self.alive(run):
            return False
        if not self.begun(run) and not record.stop_requested:
            return False  # written down, but whoever would have started it died: the next apply does
        if processes.send(run.run_id, signal.SIGKILL):
            return False  # looked at again soon
        self.save(replace(record, run=self._ended(run, asked=record.stop_requested)))
        return True

    def _ended(self, run: Run, *, asked: bool) -> Run:
        found = processes.exit_of(self.run_directory(run))
        output = logs.last_lines(self.log(run))
        if found is None:
            evidence = "the engine's processes are gone and nobody saw them end"
            return records.ended(run, at=None, reason=Reason.WORKLOAD_VANISHED, evidence=f"{evidence}\n{output}".strip())
        code, at = found
        by_signal = code - _OVER_BY_SIGNAL if code > _OVER_BY_SIGNAL else 0
        how = f"ended by {_signal_name(by_signal)}" if by_signal else f"exit code {code}"
        reason = Reason.ENGINE_KILLED if by_signal in {signal.SIGKILL, signal.SIGTERM} and not asked else Reason.ENGINE_EXITED
        return records.ended(run, at=max(at, run.started_at), reason=reason, evidence=f"{how}\n{output}".strip())

    def mark_ready(self, run_id: str) -> None:
        """Write down, once, that the run answered."""
        record = self.record
        if record.run is not None and record.run.run_id == run_id and record.run.ready_at is None and not record.run.over:
            self.save(replace(record, run=replace(record.run, ready_at=time.time())))

    def forget(self, record: Record) -> None:
        """Remove what a deleted workload left; the epoch stays, so that a late apply still finds it closed."""
        for each in self.directory.glob("run-*"):
            shutil.rmtree(each, ignore_errors=True)
        self.save(replace(record, run=None))

    def prepare_run(self, run: Run) -> Path:
        """Make the run's directory and drop those of earlier runs, logs included."""
        for each in self.directory.glob("run-*"):
            if each != self.run_directory(run):
                shutil.rmtree(each, ignore_errors=True)
        scratch = self.run_directory(run) / "tmp"
        scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.run_directory(run) / "log").touch()
        return scratch


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def workloads_below(root: Path) -> Iterator[str]:
    """Names of all workloads that were ever heard of."""
    try:
        yield from sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    except FileNotFoundError:
        return
