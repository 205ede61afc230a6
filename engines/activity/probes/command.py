"""A program of the operators' beside the portal: exit status 0 says free, 1 says busy, anything else nothing."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence

from engines.activity.probes.answer import EVIDENCE_LENGTH, Answer, busy, free, unknown
from engines.activity.probes.http import NoAnswer

SIGNAL = "command"
LIMIT_SECONDS = 10.0


def ask(command: Sequence[str], address: str, *, limit: float = LIMIT_SECONDS) -> Answer:
    """Run it without a shell, with AIGC_ENGINE_ADDRESS (host:port) and PATH as its whole environment. Raises NoAnswer.

    After `limit` seconds it and all that it started in its session is killed.
    """
    environment = {"AIGC_ENGINE_ADDRESS": address, "PATH": os.environ.get("PATH", os.defpath)}
    with tempfile.TemporaryFile() as output:
        try:
            running = subprocess.Popen(  # noqa: S603 - only operators write catalogs
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        except OSError as error:
            raise NoAnswer(f"{command[0]}: {error.strerror}") from error
        try:
            status = running.wait(limit)
        except subprocess.TimeoutExpired as error:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            raise NoAnswer(f"{command[0]} did not end within {limit:g} seconds") from error
        output.seek(0)
        return interpret(status, output.read(EVIDENCE_LENGTH).decode(errors="replace"))


def interpret(status: int, said: str) -> Answer:
    """Read an exit status, and what the program printed as evidence."""
    evidence = " ".join(said.split()) or f"exit status {status}"
    if status == 0:
        return free(SIGNAL, evidence)
    return busy(SIGNAL, evidence) if status == 1 else unknown(SIGNAL, f"exit status {status}: {evidence}")
