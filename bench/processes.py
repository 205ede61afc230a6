"""Programs that a bench starts beside the product, and ends."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from aigc_portal.binds import socket_of, uvicorn_options
from tests.stack import ROOT, Stack
from tests.waiting import wait_until

END_SECONDS = 10


@contextmanager
def started(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A program from the repository's root, ended with the block."""
    process = subprocess.Popen(command, cwd=ROOT, text=True, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def serving(command: list[str], bind: str, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """A server that answers HTTP where it listens (see aigc_portal.binds) while the block runs."""
    path = socket_of(bind)
    client = httpx.Client(transport=httpx.HTTPTransport(uds=path and str(path)), timeout=5)

    def answers() -> bool:
        assert process.poll() is None, f"{command} ended with {process.returncode}"
        try:
            return bool(client.get(f"http://{'localhost' if path else bind}/").status_code)
        except httpx.TransportError:
            return False

    with client, started(command, env=environment) as process:
        wait_until(answers, seconds=60)
        yield


@contextmanager
def serving_app(app: str, bind: str) -> Iterator[None]:
    """A bare ASGI application, run as the product runs its own."""
    uvicorn = [sys.executable, "-m", "uvicorn", "--no-access-log", "--log-level", "warning", *uvicorn_options(bind)]
    with serving([*uvicorn, "--lifespan", "off", "--timeout-graceful-shutdown", "2", app], bind):
        yield


class Actor:
    """A process of bench.acting."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, do: str, **arguments: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"{do} failed"
        return json.loads(answer)


@contextmanager
def acting(stack: Stack) -> Iterator[Actor]:
    """Somebody who acts with the product's settings."""
    environment = stack.environment | {"DJANGO_SETTINGS_MODULE": "aigc_portal.settings"}
    command = [sys.executable, "-m", "bench.acting"]
    with started(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Actor(process)
