"""Why a run ended, from what it left behind. Pure."""

import signal
from dataclasses import dataclass

from engines.reasons import Reason

_EVIDENCE_LINES = 20
_SIGNS = {
    Reason.OUT_OF_MEMORY: (
        "CUDA out of memory",
        "torch.OutOfMemoryError",
        "MemoryError",
        "std::bad_alloc",
        "Cannot allocate memory",
    ),
    Reason.DISK_FULL: ("No space left on device",),
}


@dataclass(frozen=True)
class Remains:
    """What is left of a run. A code above 128 is a signal, as a shell counts."""

    code: int | None
    same_boot: bool
    was_ready: bool
    kernel_killed: bool  # the kernel killed somebody for memory during the run
    log_tail: str


def judge(remains: Remains) -> Reason:
    """Name the reason of an end that nobody asked for."""
    code = remains.code
    if code is None:
        return Reason.ENGINE_KILLED if remains.same_boot else Reason.WORKLOAD_VANISHED
    if code == 128 + signal.SIGKILL and remains.kernel_killed:
        return Reason.OUT_OF_MEMORY
    if code in {128 + signal.SIGKILL, 128 + signal.SIGTERM}:
        return Reason.ENGINE_KILLED
    if code in {126, 127} and not remains.was_ready:
        return Reason.START_REFUSED
    tail = "\n".join(_last_lines(remains.log_tail)) if code else ""
    return next((reason for reason, signs in _SIGNS.items() if any(sign in tail for sign in signs)), Reason.ENGINE_EXITED)


def describe(remains: Remains) -> str:
    """Give an operator the exit code and the last words."""
    return "\n".join([_ending(remains), *_last_lines(remains.log_tail)])


def _ending(remains: Remains) -> str:
    code = remains.code
    if code is None:
        return "ended without an exit code" if remains.same_boot else "ended when the machine restarted"
    if code - 128 in set(signal.Signals):
        also = "; the kernel ran out of memory during the run" if remains.kernel_killed else ""
        return f"exit code {code} ({signal.Signals(code - 128).name}){also}"
    return f"exit code {code}"


def _last_lines(text: str) -> list[str]:
    return text.splitlines()[-_EVIDENCE_LINES:]
