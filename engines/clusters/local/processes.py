"""The processes of a run: who belongs to it, who is alive, and signals that reach nobody else.

A process is identified by its number and its birth, so a number that was given again is never mistaken. Those whose record was
lost are found by a variable that every process of a run inherits. A program that clears its environment, leaves its session and
has lost its parents before anybody looked is out of reach: for engines that hide, use containers.
"""

import os
import signal
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import psutil

RUN_MARK = "AIGC_RUN"
_ON_LINUX = sys.platform == "linux"


@dataclass(frozen=True)
class Identity:
    """One process and no other: `birth` is the machine's boot and the process's start since then."""

    pid: int
    birth: str

    @property
    def boot(self) -> str:
        return self.birth.partition(":")[0]


@lru_cache(maxsize=1)
def boot_id() -> str:
    """Identify this boot of the machine."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else str(int(psutil.boot_time()))


def identify(pid: int) -> Identity | None:
    """Identify the process that has this number now, a zombie included; None if there is none."""
    if not _ON_LINUX:
        try:
            return Identity(pid, f"{boot_id()}:{psutil.Process(pid).create_time()}")
        except psutil.Error:
            return None
    fields = _stat(pid)
    return Identity(pid, _birth(fields)) if fields else None


def _birth(fields: list[str]) -> str:
    # Ticks since boot: unlike a time of day they do not move when the clock is set.
    return f"{boot_id()}:{fields[19]}"


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; empty if the process is gone."""
    try:
        with Path(f"/proc/{pid}/stat").open("rb") as file:
            return file.read().rpartition(b")")[2].decode().split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def is_alive(process: Identity) -> bool:
    """Tell whether this very process runs; a zombie does not."""
    if _ON_LINUX:
        fields = _stat(process.pid)
        return bool(fields) and fields[0] not in {"Z", "X"} and _birth(fields) == process.birth
    try:
        return identify(process.pid) == process and psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def members(run_id: str, *, leader: Identity | None = None, known: Iterable[Identity] = ()) -> list[Identity]:
    """All living processes of a run, oldest first: by mark, by session while its leader lives, by descent, and as known.

    Looks at every process of the machine: about 50 µs each.
    """
    found = {process for process in known if is_alive(process)}
    # A session's number means something only while its leader is there: later it may be somebody else's.
    session = leader.pid if leader is not None and is_alive(leader) else None
    parents: dict[int, int] = {}
    for process in psutil.process_iter():
        try:
            parents[process.pid] = process.ppid()
            if process.environ().get(RUN_MARK) == run_id or (session is not None and os.getsid(process.pid) == session):
                found.update(filter(None, [identify(process.pid)]))
        except (psutil.Error, OSError):
            continue
    found.update(filter(None, map(identify, _descendants({process.pid for process in found}, parents))))
    found = {process for process in found if process.pid != os.getpid() and is_alive(process)}
    return sorted(found, key=lambda process: (float(process.birth.partition(":")[2]), process.pid))


def _descendants(roots: Collection[int], parents: dict[int, int]) -> set[int]:
    below: set[int] = set()
    while True:
        more = {pid for pid, parent in parents.items() if parent in below or parent in roots} - below
        if not more:
            return below
        below |= more


def send(processes: Iterable[Identity], number: signal.Signals) -> None:
    """Signal these very processes; one that is gone, whoever has its number now, gets nothing."""
    for process in processes:
        try:
            _send(process, number)
        except (ProcessLookupError, PermissionError):
            continue


def _send(process: Identity, number: signal.Signals) -> None:
    if not hasattr(os, "pidfd_open"):
        if identify(process.pid) == process:
            os.kill(process.pid, number)
        return
    descriptor = os.pidfd_open(process.pid)
    try:
        # The descriptor holds on to whoever has the number now; the check says whether that is who is meant.
        if identify(process.pid) == process:
            signal.pidfd_send_signal(descriptor, number)
    finally:
        os.close(descriptor)


def family(leader: Identity) -> list[Identity]:
    """The descendants of a living process: fewer than the members of its run, but found more quickly."""
    try:
        children = psutil.Process(leader.pid).children(recursive=True)
    except psutil.Error:
        return []
    return [found for child in children if (found := identify(child.pid))]


def listens(processes: Iterable[Identity], port: int) -> bool:
    """Tell whether one of these processes itself listens on the port."""
    for process in processes:
        try:
            for socket in psutil.Process(process.pid).net_connections("tcp"):
                if socket.status == psutil.CONN_LISTEN and socket.laddr.port == port:
                    return True
        except psutil.Error:
            continue
    return False


def kernel_kills() -> int:
    """Count the machine's out-of-memory kills since boot; 0 where the kernel does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
