"""Engine processes: start them so that they outlive us, find all of one run, and never touch a stranger's."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

# Runs the engine ("$@") and writes its exit code and the moment it ended, in one step, for whoever looks later. The shell
# survives the signals that end the engine; it is the cheapest supervisor there is (one more process of 1 MiB, 1 ms to start).
_SUPERVISE = """
trap : TERM INT HUP
run=$1; shift
: > "$run/begun"
"$@"
code=$?
printf '%s %s' "$code" "$(date +%s.%N)" > "$run/exit.draft" && mv "$run/exit.draft" "$run/exit"
"""
# Starts the supervisor in the background and ends, so that it becomes nobody's child and leaves no zombie to us.
_DETACH = '"$@" &'

WORKLOAD_VARIABLE = "AIGC_WORKLOAD"
RUN_VARIABLE = "AIGC_RUN"


def spawn(command: Sequence[str], *, directory: Path, environment: Mapping[str, str], run_directory: Path) -> None:
    """Start a run in a session of its own. It holds `run_directory/alive` locked until its last process has ended.

    It leaves `run_directory/begun` when it begins and `run_directory/exit` when it ends, its output in `run_directory/log`.
    """
    alive = os.open(run_directory / "alive", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(alive, fcntl.LOCK_EX)
        with (run_directory / "log").open("ab") as log:
            supervise = ["/bin/sh", "-c", _SUPERVISE, "engine", str(run_directory), *command]
            detach = subprocess.Popen(  # noqa: S603 - the catalog says what to run
                ["/bin/sh", "-c", _DETACH, "detach", *supervise],
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[alive],
            )
            detach.wait()
    finally:
        os.close(alive)


def exit_of(run_directory: Path) -> tuple[int, float] | None:
    """Return the engine's exit code (128 + n: signal n) and when it ended, or None if nobody saw it end."""
    try:
        code, at = (run_directory / "exit").read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(code), float(at)


def processes_of(run_id: str) -> list[psutil.Process]:
    """Return every living process of a run, known by the mark in its environment, and all their descendants.

    psutil compares start times before it signals, so a number that was given to a stranger meanwhile is left alone.
    """
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        if process.pid not in found and _mark_of(process) == run_id:
            found |= {each.pid: each for each in (process, *_descendants(process))}
    return [process for process in found.values() if _lives(process)]


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(RUN_VARIABLE)
    except (psutil.Error, OSError):
        return None


def _descendants(process: psutil.Process) -> Iterator[psutil.Process]:
    try:
        yield from process.children(recursive=True)
    except psutil.Error:
        return


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def send(run_id: str, number: signal.Signals) -> int:
    """Signal every process of a run; returns how many there were."""
    targets = processes_of(run_id)
    for process in targets:
        try:
            process.send_signal(number)
        except psutil.Error:
            continue  # it ended between the look and the signal
    return len(targets)


def listens(run_id: str, port: int) -> bool:
    """Tell whether the run itself listens on the port, so that a stranger who took it is not mistaken for the engine."""
    for process in processes_of(run_id):
        try:
            connections = process.net_connections(kind="tcp")
        except psutil.Error:
            continue
        if any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in connections):
            return True
    return False


def environment_for(*, workload: str, run_id: str, home: Path, scratch: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of an engine: nothing of ours reaches it but where Python and its modules are."""
    own = {
        "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(scratch),
        "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
        "PYTHONUNBUFFERED": "1",
    }
    return own | dict(extra) | {WORKLOAD_VARIABLE: workload, RUN_VARIABLE: run_id}


def filled_in(words: Sequence[str], *, port: int, data: Path) -> list[str]:
    """Fill {port}, {data} and {python} in; raises KeyError for any other name in braces, ValueError for lone braces."""
    values = {"port": port, "data": data, "python": sys.executable}
    return [word.format_map(values) for word in words]


def can_run(program: str, directory: Path) -> bool:
    """Tell whether there is such a program, by path (relative ones from `directory`) or by name."""
    return shutil.which(str(directory / program) if "/" in program else program) is not None
