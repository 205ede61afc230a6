"""The whole product as processes of this machine: what `make demo` runs, on free ports and a data directory of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx
import psutil

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120
# Settings that a test run has for itself must not reach the product it starts.
_OWN = ("DATABASE_URL", "REDIS_URL", "AIGC_", "DJANGO_SETTINGS_MODULE", "PYTEST_")


PORTS = 166  # many, for a port that was used rests for ten minutes
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_in_use: set[int] = set()


def _take_ports() -> int:
    """The first port of a range that no other stack of this run has; each worker of xdist has three.

    All lie below those that the tests' own engines take (tests/services.py) and outgoing connections, which may come between
    choosing a port and listening on it.
    """
    ranges = [10_000 + PORTS * (_WORKER % 4 * 3 + number) for number in range(3)]
    first = next(each for each in ranges if each not in _in_use)
    _in_use.add(first)
    return first


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Stack:
    """`manage.py demo` in a process of its own; `with Stack(data_dir) as stack:` waits until it serves and stops it after."""

    data_dir: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def portal(self) -> str:
        return f"http://portal.localhost:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables under which the product, and any `manage.py` beside it, runs."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
        return inherited | self._variables

    def start(self) -> None:
        self.log = self.data_dir.parent / f"{self.data_dir.name}.log"
        if not hasattr(self, "_variables"):
            first = _take_ports()
            self._variables = {
                "AIGC_DATA_DIR": str(self.data_dir),
                "AIGC_PORTAL_ORIGIN": self.portal,
                "AIGC_ENGINES_DOMAIN": f"engines.localhost:{self.port}",
                "AIGC_PORTAL_BIND": f"127.0.0.1:{free_port()}",
                "AIGC_LOCAL_PORT_FIRST": str(first),
                "AIGC_LOCAL_PORT_LAST": str(first + PORTS - 1),
                "PYTHONUNBUFFERED": "1",
            } | dict(self.variables)
        already = len(self.output())
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "demo"], cwd=ROOT, env=self.environment, stdout=output, stderr=output
            )
        wait_until(lambda: self.process.poll() is not None or "is ready:" in self.output()[already:], seconds=START_SECONDS)
        assert self.process.poll() is None, self.output()[already:]

    def stop(self) -> None:
        """Ctrl-C."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)
        _in_use.discard(int(self.environment["AIGC_LOCAL_PORT_FIRST"]))

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def processes(self, name: str) -> list[psutil.Process]:
        """Living processes of one program of the demo, by what its command line says."""
        words = {
            "web": "aigc_portal.asgi:application",
            "gwauth": "gateway.auth:app",
            "gateway": "caddy",
            "worker": "provision,billing,default",
            "notifier": " --queues deliveries ",
            "beat": " beat --schedule ",
            "watcher": "watch_clusters",
            "valkey": "valkey",
            "postgres": "postgres",
        }[name]
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if words in " ".join(_command(child))]

    def manage(self, *command: str) -> str:
        """Run a management command beside the product; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *command], cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


class Person:
    """Somebody without a browser: signs in, posts forms with their CSRF token, and sends Secure cookies over loopback too."""

    def __init__(self, stack: Stack) -> None:
        self.portal = stack.portal
        self.cookies: dict[str, str] = {}
        headers = {"Host": stack.portal.removeprefix("http://"), "Origin": stack.portal}
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{stack.port}", headers=headers, timeout=30)

    def sign_in(self, username: str, password: str) -> None:
        self.post("/accounts/login/", login=username, password=password)
        assert "__Host-portal" in self.cookies

    def get(self, path: str) -> httpx.Response:
        return self._follow("GET", path)

    def post(self, path: str, *, form: str | None = None, **fields: str) -> httpx.Response:
        """Fetch the page with the form (`form`, else `path`), then post with its CSRF token."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get(form or path).text)
        assert token, f"no form at {form or path}"
        return self._follow("POST", path, data={"csrfmiddlewaretoken": token[1], **fields})

    def _follow(self, method: str, path: str, **content: object) -> httpx.Response:
        for _ in range(5):
            cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            answer = self.client.request(method, path, headers={"Cookie": cookie}, **content)
            self.cookies |= dict(answer.cookies)
            self.client.cookies.clear()
            if not answer.is_redirect:
                return answer
            method, path, content = "GET", answer.headers["Location"].removeprefix(self.portal), {}
        raise AssertionError("redirected too often")
