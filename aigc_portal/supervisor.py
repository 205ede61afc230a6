"""Keep programs running in the foreground: start, show their output, start again what dies, stop all.

honcho ends all programs as soon as one ends, but here each of them must come back by itself; so honcho gives its printer
and colours, and this loop does the rest. It is one thread, because the kernel ties programs to the thread that starts them.
"""

import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from honcho.colour import get_colours
from honcho.printer import Message, Printer

from aigc_portal.binds import host_and_port, socket_of
from aigc_portal.embedded.account import Account, command_as

TICK_SECONDS = 0.1
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
# Who ran this long has not failed to start: its next pause is short again.
STEADY_SECONDS = 10.0
READY_SECONDS = 60.0
# A program that ended so often before it was ever ready will not become ready.
START_LIMIT = 5
STOP_SECONDS = 5.0


class StartFailed(Exception):
    """A program does not become ready; the text names it."""


@dataclass(frozen=True)
class Program:
    """What to run; ready once it listens at `listens_at` (see binds), or has printed `ready_phrase`, or else at once."""

    name: str
    command: Sequence[str]
    listens_at: str = ""
    ready_phrase: str = ""


@dataclass
class Child:
    """One program and its present process."""

    program: Program
    colour: str
    process: subprocess.Popen[bytes] | None = None
    unfinished_line: bytes = b""
    ready: bool = False
    ends: int = 0
    started_at: float = 0.0
    start_at: float = 0.0
    pause_seconds: float = field(default=FIRST_PAUSE_SECONDS)


class Supervisor:
    """Runs programs until SIGINT or SIGTERM."""

    def __init__(self, programs: Sequence[Program], *, each_tick: Callable[[], object], printer: Printer) -> None:
        self.children = [Child(program, colour) for program, colour in zip(programs, get_colours(), strict=False)]
        self.each_tick = each_tick
        self.printer = printer
        self.printer.width = max(len(child.program.name) for child in self.children)
        self.selector = selectors.DefaultSelector()
        self.stopping = False

    def run(self, *, announce: Callable[[], None]) -> None:
        """Start all, call `announce` once all are ready, and return when all have stopped. Raises StartFailed."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.request_stop)
        try:
            deadline = time.monotonic() + READY_SECONDS
            while not self.stopping and not all(child.ready for child in self.children):
                self.tick()
                self.require_progress(deadline)
            if not self.stopping:
                announce()
            while not self.stopping:
                self.tick()
        finally:
            self.stop_all()

    def request_stop(self, *_: object) -> None:
        self.stopping = True

    def tick(self) -> None:
        """Start what is due, show what was printed, notice what died."""
        for child in self.children:
            if child.process is None and time.monotonic() >= child.start_at:
                self.start(child)
        self.show_output(TICK_SECONDS)
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                self.bury(child, child.process)
                self.schedule(child, child.process.returncode)
                child.process = None
            elif not child.ready:
                child.ready = is_ready(child.program)
        self.each_tick()

    def start(self, child: Child) -> None:
        """Start the program in a session of its own, so that only we hear Ctrl-C."""
        ourselves = Account(os.geteuid(), os.getegid())
        command = command_as(ourselves, list(child.program.command), needs=(), dies_with_us=signal.SIGTERM)
        child.process = subprocess.Popen(  # noqa: S603 - our own programs
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        assert child.process.stdout is not None  # noqa: S101 - for the type checker
        self.selector.register(child.process.stdout, selectors.EVENT_READ, child)
        child.started_at = time.monotonic()

    def schedule(self, child: Child, returncode: int) -> None:
        """Say that the program ended, and when it starts again."""
        child.ends += 1
        if time.monotonic() - child.started_at > STEADY_SECONDS:
            child.pause_seconds = FIRST_PAUSE_SECONDS
        self.say(child, f"ended ({describe(returncode)}); starts again in {child.pause_seconds:g} s")
        child.start_at = time.monotonic() + child.pause_seconds
        child.pause_seconds = min(child.pause_seconds * 2, LONGEST_PAUSE_SECONDS)

    def require_progress(self, deadline: float) -> None:
        """Give up on a program that cannot start, instead of trying for ever before anybody could sign in."""
        for child in self.children:
            if not child.ready and (child.ends >= START_LIMIT or time.monotonic() > deadline):
                raise StartFailed(f"{child.program.name} does not start; its output above says why.")

    def stop_all(self) -> None:
        """Ask all to stop at once, and end what has not after a few seconds."""
        alive = [child for child in self.children if child.process is not None]
        for child in alive:
            send_to_group(child, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while any(is_running(child) for child in alive) and time.monotonic() < deadline:
            self.show_output(TICK_SECONDS)
        for child in alive:
            if is_running(child):
                self.say(child, f"did not stop within {STOP_SECONDS:g} s and is ended")
            if child.process is not None:
                self.bury(child, child.process)
                child.process.wait()

    def bury(self, child: Child, process: subprocess.Popen[bytes]) -> None:
        """End what the program's process left behind (a killed Celery leaves its workers) and show its last words."""
        send_to_group(child, signal.SIGKILL)
        assert process.stdout is not None  # noqa: S101 - for the type checker
        self.show_output(0)
        with suppress(KeyError):  # it had closed its output before it ended
            self.selector.unregister(process.stdout)
        process.stdout.close()
        if child.unfinished_line:
            self.say(child, child.unfinished_line.decode(errors="replace"))
            child.unfinished_line = b""

    def show_output(self, seconds: float) -> None:
        """Print the lines that arrive within so many seconds."""
        for key, _ in self.selector.select(seconds):
            child: Child = key.data
            chunk = os.read(key.fd, 65536)
            if not chunk:
                self.selector.unregister(key.fileobj)
            for line in complete_lines(child, chunk):
                child.ready = child.ready or bool(child.program.ready_phrase and child.program.ready_phrase in line)
                self.say(child, line)

    def say(self, child: Child, line: str) -> None:
        """Print one line under the program's name and colour."""
        now = datetime.now().astimezone()
        self.printer.write(Message(type="line", data=f"{line}\n", time=now, name=child.program.name, colour=child.colour))


def complete_lines(child: Child, chunk: bytes) -> list[str]:
    """The lines that this output completes; the rest is kept for later."""
    *lines, child.unfinished_line = (child.unfinished_line + chunk).split(b"\n")
    return [line.decode(errors="replace").rstrip() for line in lines]


def is_ready(program: Program) -> bool:
    """Whether a program that is known by where it listens, or by nothing, can serve."""
    if not program.listens_at:
        return not program.ready_phrase
    path = socket_of(program.listens_at)
    if path is not None:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(path)) == 0
    with socket.socket(socket.AF_INET) as probe:
        return probe.connect_ex(host_and_port(program.listens_at)) == 0


def is_running(child: Child) -> bool:
    """Whether the program's process has not ended."""
    return child.process is not None and child.process.poll() is None


def send_to_group(child: Child, number: signal.Signals) -> None:
    """Signal a program and what it started in its session, if any of it is left."""
    if child.process is not None:
        with suppress(ProcessLookupError):
            os.killpg(child.process.pid, number)


def describe(returncode: int) -> str:
    """How a process ended, in words."""
    return f"by {signal.Signals(-returncode).name}" if returncode < 0 else f"exit code {returncode}"
