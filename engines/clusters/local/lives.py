"""Starting, ending and looking after runs: from any state that a cut-off can leave to the next right one."""

import logging
import os
import signal
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from engines.clusters.base import ClusterError, WorkloadSpec
from engines.clusters.local import launch, logs, processes
from engines.clusters.local.config import LocalConfig
from engines.clusters.local.devices import by_class, list_devices
from engines.clusters.local.files import NO_ROOM
from engines.clusters.local.leases import Claim, Exhausted, Lease, Leases
from engines.clusters.local.outcome import Remains, describe, judge
from engines.clusters.local.record import Record, Run
from engines.clusters.local.store import Store
from engines.reasons import Reason

log = logging.getLogger(__name__)
_DEATH_SECONDS = 0.3  # what SIGKILL may take before we answer
_LAST_WORDS_SECONDS = 1.0  # what the recorder may take after its engine was killed


class Lives:
    """The lives of one cluster's engines. Every method wants the workload's lock to be held by its caller."""

    def __init__(self, config: LocalConfig, store: Store, leases: Leases, *, reclaim: Callable[[], None]) -> None:
        """`reclaim` gives back what runs hold that are over without anybody having noticed."""
        self._config = config
        self._layout = config.layout
        self._store = store
        self._leases = leases
        self._reclaim = reclaim

    # --- starting ---

    def begin(self, before: Record, spec: WorkloadSpec, lock: int) -> Record:
        """Start a fresh run of the spec. On a refusal all is as before."""
        run_id = str(uuid.uuid4())
        # Refuse a bad command before anything is taken.
        launch.make_plan(spec, self._config, run_id=run_id, port=0, devices=())
        lease = self._lease(spec, run_id)
        try:
            run = Run(run_id, lease.port, lease.devices, time.time(), kernel_kills=processes.kernel_kills())
            self._make_room(spec.name, run_id)
            record = replace(before, epoch=spec.epoch, forget=False, spec=spec, run=run)
            # From here on whoever comes next finishes the start if we are cut off.
            self._store.save(record)
            record = replace(record, run=self._spawn(record, run, lock))
        except (OSError, ClusterError) as error:
            self._take_back(before, spec.name, run_id)
            if isinstance(error, OSError) and error.errno not in NO_ROOM:
                raise ClusterError(Reason.START_REFUSED, str(error)) from error
            raise
        self._save(record)
        self._remove_earlier_runs(record.name, run_id)
        return record

    def _lease(self, spec: WorkloadSpec, run_id: str) -> Lease:
        by_device = spec.gpu.gpu_class in self._config.gpus
        devices = by_class(list_devices(), self._config.gpus)[spec.gpu.gpu_class] if by_device else ()
        claim = Claim(
            name=spec.name,
            run_id=run_id,
            volume=spec.volume,
            # An engine that cannot be told its port must get the one it has.
            port=0 if launch.uses(spec, "port") else spec.port,
            devices=tuple(devices),
            count=spec.gpu.count if by_device else 0,
        )
        try:
            return self._leases.take(claim)
        except Exhausted:
            self._reclaim()
            return self._leases.take(claim)

    def _make_room(self, name: str, run_id: str) -> None:
        """Create what the run writes into, so that a full disk is noticed before it runs."""
        self._layout.scratch(name).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._layout.log(name, run_id).touch(mode=0o600)
        self._layout.exit_code(name, run_id).write_bytes(launch.EXIT_CODE_ROOM)

    def _spawn(self, record: Record, run: Run, lock: int) -> Run:
        spec = record.spec
        if spec is None:
            raise ClusterError(Reason.START_REFUSED, "the record of the run has no spec")
        plan = launch.make_plan(spec, self._config, run_id=run.id, port=run.port, devices=run.devices)
        started_at = time.time()
        leader = launch.spawn(
            plan,
            directory=self._layout.volume(spec.volume),
            log=self._layout.log(record.name, run.id),
            exit_code=self._layout.exit_code(record.name, run.id),
            lock=lock,
        )
        return replace(run, leader=leader, started_at=started_at)

    def _take_back(self, before: Record, name: str, run_id: str) -> None:
        with suppress(OSError):  # a full disk: what is not given back now is reclaimed when it is needed
            self._leases.release(name, run_id)
        if before.run is None:
            self._store.discard(name)
            return
        self._layout.log(name, run_id).unlink(missing_ok=True)
        self._layout.exit_code(name, run_id).unlink(missing_ok=True)
        with suppress(OSError):
            self._store.save(before)

    def _remove_earlier_runs(self, name: str, run_id: str) -> None:
        for path in self._layout.workload(name).glob("*-*"):
            if not path.name.endswith(run_id):
                path.unlink(missing_ok=True)

    # --- looking after ---

    def needs_attention(self, record: Record) -> bool:
        """Tell, without a lock and cheaply, whether `advance` would do something."""
        run = record.live
        if run is None:
            return record.forget and not self._store.is_forgotten(record.name)
        if run.leader is None or not processes.is_alive(run.leader):
            return True
        return run.stop_by is not None and (not run.asked or time.monotonic() >= run.stop_by)

    def advance(self, record: Record, lock: int, *, ready_run: str = "") -> Record:
        """Take the record to where it should be by now: finish a start, note readiness or an end, press on with a stop."""
        run = record.live
        if run is not None:
            after = replace(record, run=self._advance_run(record, run, lock, ready_run))
            if after != record:
                self._save(after)
            record = after
        if record.forget and record.live is None:
            self._store.forget(record)
        return record

    def _advance_run(self, record: Record, run: Run, lock: int, ready_run: str) -> Run:
        if run.leader is None:
            run = self._find_or_start(record, run, lock)
        if run.over:
            return run
        if ready_run == run.id and run.ready_at is None and run.stop_by is None:
            run = replace(run, ready_at=time.time())
        if run.leader is None or not processes.is_alive(run.leader):
            return self._without_leader(record, run)
        return self._press(record, run) if run.stop_by is not None else run

    def _find_or_start(self, record: Record, run: Run, lock: int) -> Run:
        """Whoever started this run was cut off, before or after: find its processes, or start them, but never twice."""
        found = processes.members(run.id)
        if found:
            recorder = next((process for process in found if _leads_session(process)), None)
            return replace(run, leader=recorder or found[0], recorder_lost=recorder is None, started_at=run.created_at)
        if self._exit_code(record.name, run.id) is not None:
            return replace(run, started_at=run.created_at)
        if run.stop_by is not None:
            return run
        try:
            return self._spawn(record, run, lock)
        except (OSError, ClusterError) as error:
            self._leases.release(record.name, run.id)
            return replace(run, over=True, reason=Reason.START_REFUSED, evidence=str(error))

    def _without_leader(self, record: Record, run: Run) -> Run:
        """The recorder is gone: so is the engine, unless somebody killed the recorder alone or the engine left others behind."""
        rest = processes.members(run.id, known=run.known)
        if rest and run.stop_by is None and self._exit_code(record.name, run.id) is None and run.leader is not None:
            return replace(run, leader=rest[0], recorder_lost=True)
        if rest:
            run = self._end_rest(run, rest)
            rest = processes.members(run.id, known=run.known)
        return run if rest else self._conclude(record, run)

    def _end_rest(self, run: Run, rest: list[processes.Identity]) -> Run:
        now = time.monotonic()
        # Processes that outlive their engine get no grace, unless they were promised it.
        stop_by = now if run.stop_by is None else run.stop_by
        if now < stop_by:
            fresh = [process for process in rest if process not in run.known]
            processes.send(fresh, signal.SIGTERM)
            return replace(run, asked=True, known=(*run.known, *fresh))
        processes.send(rest, signal.SIGKILL)
        _wait_for_death(rest)
        return replace(run, stop_by=stop_by, known=tuple(dict.fromkeys((*run.known, *rest))))

    def _press(self, record: Record, run: Run) -> Run:
        """Ask once, force when the time is up. The recorder itself is spared, so that it can note the end."""
        leader, stop_by = run.leader, run.stop_by
        if leader is None or stop_by is None:
            return run
        force = time.monotonic() >= stop_by
        if run.asked and not force:
            return run
        found = processes.members(run.id, leader=leader, known=run.known)
        others = [process for process in found if run.recorder_lost or process != leader]
        run = replace(run, asked=bool(others), known=tuple(dict.fromkeys((*run.known, *others))))
        if not force:
            processes.send(others, signal.SIGTERM)
            return run
        processes.send(others, signal.SIGKILL)
        if not others and time.monotonic() >= stop_by + _LAST_WORDS_SECONDS:
            processes.send([leader], signal.SIGKILL)
        _wait_for_death([*others, leader])
        return run if processes.is_alive(leader) else self._without_leader(record, run)

    def _conclude(self, record: Record, run: Run) -> Run:
        """Nothing of the run is left: give back what it held and say how it ended."""
        remains = Remains(
            code=self._exit_code(record.name, run.id),
            same_boot=run.leader is None or run.leader.boot == processes.boot_id(),
            was_ready=run.ready_at is not None,
            kernel_killed=processes.kernel_kills() > run.kernel_kills,
            log_tail=logs.read(self._layout.log(record.name, run.id), run.id, cursor="", tail_bytes=8192).text,
        )
        reason = Reason.WORKLOAD_VANISHED if run.with_cluster else judge(remains)
        self._release(record.name, run.id)
        return replace(
            run,
            over=True,
            ended_at=self._ended_at(record.name, run) if remains.code is not None else None,
            reason=None if record.stop_wanted else reason,
            evidence=describe(remains),
        )

    def _exit_code(self, name: str, run_id: str) -> int | None:
        try:
            text = self._layout.exit_code(name, run_id).read_text().strip()
        except FileNotFoundError:
            return None
        return int(text) if text.isdigit() else None

    def _ended_at(self, name: str, run: Run) -> float:
        # A file's time has a grain of milliseconds and may lie before what happened just before it.
        return max(self._layout.exit_code(name, run.id).stat().st_mtime, run.ready_at or run.started_at or 0)

    # --- ending ---

    def ask_to_end(self, record: Record, *, grace_seconds: float, with_cluster: bool = False) -> Record:
        """Set the time by which the run is over; a later call may hasten it, never postpone it."""
        run = record.live
        if run is None:
            return record
        stop_by = time.monotonic() + grace_seconds
        if run.stop_by is not None:
            stop_by = min(stop_by, run.stop_by)
        return replace(record, run=replace(run, stop_by=stop_by, with_cluster=run.with_cluster or with_cluster))

    def terminate(self, record: Record) -> None:
        """Ask the run's processes to end without writing anything down."""
        if run := record.live:
            processes.send(processes.members(run.id, leader=run.leader), signal.SIGTERM)

    # --- a full disk must not hide what is so: it is seen again, the same, until it can be written down ---

    def _save(self, record: Record) -> None:
        self._as_far_as_room_allows(lambda: self._store.save(record), record.name)

    def _release(self, name: str, run_id: str) -> None:
        self._as_far_as_room_allows(lambda: self._leases.release(name, run_id), name)

    @staticmethod
    def _as_far_as_room_allows(write: Callable[[], None], name: str) -> None:
        try:
            write()
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            log.warning("the state of workload %s cannot be written down: %s", name, error)


def _leads_session(process: processes.Identity) -> bool:
    try:
        return os.getsid(process.pid) == process.pid
    except OSError:
        return False


def _wait_for_death(doomed: list[processes.Identity]) -> None:
    deadline = time.monotonic() + _DEATH_SECONDS
    while time.monotonic() < deadline and any(processes.is_alive(process) for process in doomed):
        time.sleep(0.002)
