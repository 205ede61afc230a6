"""One long-running server, known by a lock that it holds for as long as it lives.

The server inherits an open, locked file. The kernel frees the lock when the last process holding it is gone, however
it ended, so a stale pid file or a reused pid can never be taken for a running server.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aigc_portal.embedded.account import Account, command_as
from aigc_portal.embedded.errors import EmbeddedError

START_SECONDS = 60.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.02
LOG_LIMIT_BYTES = 10 * 1024 * 1024


@dataclass
class Server:
    """How one service is started, asked and stopped."""

    name: str
    command: list[str]
    account: Account
    lock: Path
    log: Path
    needs: tuple[Path, ...]
    answers: Callable[[], bool]
    before_start: Callable[[], None]
    stop_signal: signal.Signals
    child: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def ensure_running(self, *, owned: bool) -> bool:
        """Start the server unless it runs; return True if this call started it."""
        deadline = time.monotonic() + START_SECONDS
        while (lock := take_lock(self.lock)) is None:
            if self.answers():
                return False
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"{self.name} (pid {read_pid(self.lock)}) runs but does not answer; end it, then start again. "
                    f"Its log is {self.log}."
                )
            time.sleep(POLL_SECONDS)
        try:
            self.before_start()
            self.child = self.launch(lock, owned=owned)
        finally:
            os.close(lock)
        self.wait_until_ready(self.child, deadline)
        return True

    def launch(self, lock: int, *, owned: bool) -> subprocess.Popen[bytes]:
        """Start the program in a session of its own, so that Ctrl-C in a terminal does not reach it."""
        command = command_as(self.account, self.command, needs=self.needs, dies_with_us=self.stop_signal if owned else None)
        log = open_log(self.log, self.account)
        try:
            child = subprocess.Popen(  # noqa: S603 - a fixed program of our own
                command,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
            )
        finally:
            os.close(log)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(child.pid).encode(), 0)
        return child

    def wait_until_ready(self, child: subprocess.Popen[bytes], deadline: float) -> None:
        """Return once the server answers; EmbeddedError with the end of its log if it does not."""
        while not self.answers():
            if child.poll() is not None:
                raise EmbeddedError(f"{self.name} did not start. The end of {self.log} says:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                self.stop()
                raise EmbeddedError(f"{self.name} does not answer. The end of {self.log} says:\n{tail(self.log)}")
            time.sleep(POLL_SECONDS)

    def has_died(self) -> bool:
        """Whether the server is gone."""
        if self.child is not None:
            return self.child.poll() is not None
        lock = take_lock(self.lock)
        if lock is not None:
            os.close(lock)
        return lock is not None

    def stop(self) -> None:
        """End the server, whoever started it, and return when nothing of it is left."""
        for number, seconds in ((self.stop_signal, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
            lock = take_lock(self.lock)
            if lock is None:
                send(read_pid(self.lock), number)
                lock = self.wait_for_lock(seconds)
            if lock is not None:
                os.close(lock)
                if self.child is not None:
                    self.child.wait()
                return
        raise EmbeddedError(f"{self.name} (pid {read_pid(self.lock)}) cannot be stopped.")

    def wait_for_lock(self, seconds: float) -> int | None:
        """The free lock, or None if it is still held after so many seconds."""
        deadline = time.monotonic() + seconds
        while (lock := take_lock(self.lock)) is None and time.monotonic() < deadline:
            if self.child is not None:
                self.child.poll()
            time.sleep(POLL_SECONDS)
        return lock


def take_lock(path: Path) -> int | None:
    """An open descriptor that holds the lock, or None while another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def read_pid(lock: Path) -> int | None:
    """Who holds the lock; None in the moment between taking it and starting the server."""
    text = lock.read_text()
    return int(text) if text else None


def send(pid: int | None, number: signal.Signals) -> None:
    """Send a signal to a process that may just have ended."""
    if pid is not None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


def open_log(path: Path, account: Account) -> int:
    """A descriptor to append to; a log that has grown large is kept once, with `.1` added."""
    if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
        path.replace(path.with_suffix(".log.1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0:
        os.fchown(descriptor, account.uid, account.gid)
    return descriptor


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, indented."""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 8192))
        return "\n".join(f"    {line}" for line in log.read().decode(errors="replace").splitlines()[-lines:])
