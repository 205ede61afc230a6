"""A running container: a real process of this machine, or timers that act like one."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.kubernetes.double.images import NEVER, Behaviour
from tests.kubernetes.double.logs import Log

KILLED = 128 + signal.SIGKILL
TERMINATED = 128 + signal.SIGTERM
SIMULATED_END_SECONDS = 0.01
SETPRIV = shutil.which("setpriv")


class Container:
    """What both kinds have: `done` gets the exit code."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.oom = False

    @property
    def running(self) -> bool:
        return not self.done.done()

    def terminate(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        raise NotImplementedError

    def ended(self, code: int) -> None:
        if not self.done.done():
            self.log.close()
            self.done.set_result(code)


class Simulated(Container):
    """No process: ends and answers by its image's behaviour."""

    def __init__(self, behaviour: Behaviour, log: Log, text: str) -> None:
        super().__init__(log)
        self.behaviour, self.loop = behaviour, asyncio.get_running_loop()
        self.born = self.loop.time()
        self.answering: bool | None = None  # set by a test to overrule the image
        log.write(text.encode())
        self.timer = None
        if behaviour.exit_after != NEVER:
            self.timer = self.loop.call_later(behaviour.exit_after, self.ended, behaviour.exit_code)

    @property
    def answers(self) -> bool:
        if self.answering is not None:
            return self.answering
        return self.running and self.loop.time() - self.born >= self.behaviour.ready_after

    def terminate(self) -> None:
        if self.behaviour.heeds_term:
            self.loop.call_later(SIMULATED_END_SECONDS, self.ended, TERMINATED)

    def kill(self) -> None:
        self.ended(KILLED)

    def ended(self, code: int) -> None:
        if self.timer:
            self.timer.cancel()
        super().ended(code)


class Place(NamedTuple):
    """A port that nobody else gets, and the descriptor of the socket that keeps it: who closes that lets it go."""

    port: int
    descriptor: int


class Launch(NamedTuple):
    """How to start a process, and where it listens."""

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    place: Place


class Process(Container):
    """A session of its own, that ends as a whole and does not outlive the double."""

    def __init__(self, launch: Launch, log: Log) -> None:
        """Start it. OSError if it cannot be started."""
        super().__init__(log)
        self.port, self.place = launch.place
        self.loop = asyncio.get_running_loop()
        if shutil.which(launch.command[0], path=launch.environment.get("PATH")) is None:
            os.close(self.place)
            raise FileNotFoundError(f'exec: "{launch.command[0]}": executable file not found in $PATH')
        guard = [SETPRIV, "--pdeathsig", "KILL", "--"] if SETPRIV else []
        self.output, writer = os.pipe()
        os.set_blocking(self.output, False)
        try:
            self.process = subprocess.Popen(
                [*guard, *launch.command], env=dict(launch.environment), cwd=launch.directory, stdin=subprocess.DEVNULL,
                stdout=writer, stderr=writer, start_new_session=True,
            )  # fmt: skip
        except OSError:
            os.close(self.output)
            os.close(self.place)
            raise
        finally:
            os.close(writer)
        self.pidfd = os.pidfd_open(self.process.pid)
        self.loop.add_reader(self.output, self.read)
        self.loop.add_reader(self.pidfd, self.reap)

    def read(self) -> None:
        while True:
            try:
                piece = os.read(self.output, 65536)
            except BlockingIOError:
                return
            if not piece:
                self.loop.remove_reader(self.output)
                return
            self.log.write(piece)

    def reap(self) -> None:
        """Take the exit code; what else lives in its session ends with it, as in a container."""
        self.signal(signal.SIGKILL)
        code = self.process.wait()
        self.read()
        for descriptor in (self.output, self.pidfd):
            self.loop.remove_reader(descriptor)
            os.close(descriptor)
        os.close(self.place)
        self.ended(code if code >= 0 else 128 - code)

    def signal(self, number: signal.Signals) -> None:
        # Not reaped yet, so its number still names its session.
        if self.running:
            os.killpg(self.process.pid, number)

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
