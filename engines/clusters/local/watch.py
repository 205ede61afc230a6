"""Seeing changes soon and cheaply: one stat a tick, descriptors that tell of a process's end, a full look every few seconds."""

import logging
import os
import select
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from engines.clusters.base import ClusterError, ClusterUnavailable, Observation, Phase
from engines.clusters.local import logs
from engines.clusters.local.processes import Identity, is_alive
from engines.clusters.local.record import Record, observation
from engines.clusters.local.store import Store

log = logging.getLogger(__name__)
_TICK_SECONDS = 0.025
_LOOK_AT_ALL_SECONDS = 10.0
_BOUND_LOGS_SECONDS = 1.0
_SILENCE_SECONDS = 0.5
_PROBE_SECONDS = 5.0  # an engine that is loading may accept at once and answer late
_NEVER = datetime.min.replace(tzinfo=UTC)


class Looker(Protocol):
    """What a watcher needs of its cluster."""

    store: Store

    def look(self, name: str, *, ready_run: str = "") -> Record:
        """Bring one workload up to date; `ready_run` has been seen to answer."""

    def answering_run(self, record: Record, *, seconds: float) -> str:
        """Return the id of the record's run if it answers its health path, else an empty string."""


class Watcher:
    """One watch: what was last said of each workload, and what to look at in the next tick."""

    def __init__(self, cluster: Looker) -> None:
        """Say nothing yet."""
        self._cluster = cluster
        self._layout = cluster.store.layout
        self._said: dict[str, Observation] = {}  # without their moments
        self._unsettled: set[str] = set()  # to be looked at in every tick
        self._stamps: dict[str, tuple[int, int]] = {}
        self._bell = (0, 0)
        self._all_due = self._logs_due = 0.0
        self._ends = Ends()
        self._probes = Probes(cluster)

    def run(self) -> Iterator[Observation | None]:
        """Yield the state of all, then changes, for ever; None in half a second of silence."""
        spoken_at = time.monotonic()
        try:
            while True:
                for name in self._due():
                    seen = self._look(name)
                    if seen is not None:
                        yield seen
                        spoken_at = time.monotonic()
                if time.monotonic() - spoken_at >= _SILENCE_SECONDS:
                    yield None
                    spoken_at = time.monotonic()
                self._ends.wait(_TICK_SECONDS)
        finally:
            self._ends.close()
            self._probes.close()

    def _due(self) -> list[str]:
        """Names whose state may have changed: all of them every few seconds, whatever was heard."""
        now = time.monotonic()
        due = self._ends.take() | self._probes.answered() | self._unsettled
        if now >= self._all_due:
            self._all_due = now + _LOOK_AT_ALL_SECONDS
            due |= {*self._cluster.store.names(), *self._said}
        elif self._has_rung():
            due |= self._changed()
        if now >= self._logs_due:
            self._logs_due = now + _BOUND_LOGS_SECONDS
            self._bound_logs()
        self._probes.keep_asking()
        return sorted(due)

    def _has_rung(self) -> bool:
        before, self._bell = self._bell, _stamp(self._layout.bell)
        return self._bell != before

    def _changed(self) -> set[str]:
        names = set(self._cluster.store.names())
        fresh = {name for name in names if _stamp(self._layout.record(name)) != self._stamps.get(name)}
        return fresh | (self._said.keys() - names)

    def _look(self, name: str) -> Observation | None:
        """Look at one workload; None if that says nothing new. Trouble with one does not blind us to the others."""
        stamp = _stamp(self._layout.record(name))
        try:
            record = self._cluster.look(name, ready_run=self._probes.take(name))
        except (ClusterError, ClusterUnavailable, OSError) as error:
            log.warning("workload %s cannot be looked at: %s", name, error)
            return None
        self._stamps[name] = stamp
        self._ends.follow(name, record.live.leader if record.live else None)
        self._probes.follow(name, record if record.phase == Phase.STARTING else None)
        seen = observation(record)
        (self._unsettled.add if seen.phase in {Phase.PENDING, Phase.STOPPING} else self._unsettled.discard)(name)
        said = replace(seen, observed_at=_NEVER)
        news = self._said.get(name) != said
        self._said[name] = said
        if self._cluster.store.is_forgotten(name):
            del self._said[name], self._stamps[name]
        return seen if news else None

    def _bound_logs(self) -> None:
        for name, said in self._said.items():
            if said.phase in {Phase.STARTING, Phase.READY, Phase.STOPPING}:
                logs.bound(self._layout.log(name, said.run_id))


class Ends:
    """Waits for processes to end: by descriptors where the system has them, else by looking."""

    def __init__(self) -> None:
        """Follow nobody."""
        self._poll = select.poll()
        self._followed: dict[str, tuple[Identity, int]] = {}
        self._names: dict[int, str] = {}
        self._ended: set[str] = set()

    def follow(self, name: str, process: Identity | None) -> None:
        """Wait for this process in place of the workload's earlier one."""
        before = self._followed.get(name)
        if before and before[0] != process:
            self._drop(name)
        if process is None or name in self._followed:
            return
        self._followed[name] = (process, descriptor := _descriptor(process))
        if descriptor >= 0:
            self._names[descriptor] = name
            self._poll.register(descriptor, select.POLLIN)
        if not is_alive(process):
            self._ended.add(name)

    def wait(self, seconds: float) -> None:
        """Return after `seconds`, or as soon as a followed process has ended."""
        for descriptor, _ in self._poll.poll(seconds * 1000):
            name = self._names[descriptor]
            self._ended.add(name)
            self._drop(name)

    def take(self) -> set[str]:
        """Names whose process has ended since the last call."""
        blind = {name for name, (process, descriptor) in self._followed.items() if descriptor < 0 and not is_alive(process)}
        ended, self._ended = self._ended | blind, set()
        return ended

    def close(self) -> None:
        for name in list(self._followed):
            self._drop(name)

    def _drop(self, name: str) -> None:
        _, descriptor = self._followed.pop(name)
        if descriptor >= 0:
            self._poll.unregister(descriptor)
            del self._names[descriptor]
            os.close(descriptor)


class Probes:
    """Asks engines that are starting, each again as soon as it has not answered, without making anybody wait."""

    def __init__(self, cluster: Looker) -> None:
        """Ask nobody."""
        self._cluster = cluster
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="probe")
        self._starting: dict[str, Record] = {}
        self._asked: dict[str, Future[str]] = {}
        self._ready: dict[str, str] = {}

    def follow(self, name: str, record: Record | None) -> None:
        """Ask this workload from now on, or no more."""
        if record is None:
            self._starting.pop(name, None)
        else:
            self._starting[name] = record

    def keep_asking(self) -> None:
        for name, record in self._starting.items():
            if name not in self._asked:
                self._asked[name] = self._threads.submit(self._cluster.answering_run, record, seconds=_PROBE_SECONDS)

    def answered(self) -> set[str]:
        """Names that have answered since the last call."""
        for name in [name for name, future in self._asked.items() if future.done()]:
            if run_id := self._asked.pop(name).result():
                self._ready[name] = run_id
        return set(self._ready)

    def take(self, name: str) -> str:
        """Return the run that has answered, once; empty if none has."""
        return self._ready.pop(name, "")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _descriptor(process: Identity) -> int:
    """Open what becomes readable at the process's end; -1 where there is no such thing, or nobody to wait for."""
    if not hasattr(os, "pidfd_open"):
        return -1
    try:
        return os.pidfd_open(process.pid)
    except ProcessLookupError:
        return -1


def _stamp(path: Path) -> tuple[int, int]:
    """Identify a file's present content; zeros if it is not there."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (state.st_ino, state.st_mtime_ns)
