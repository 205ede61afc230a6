"""The gateway as real processes, and a client that sends exactly what it is told to."""

import http.client
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.test import Client

from engines.models import Instance
from gateway.cookies import NONCE, PASS
from tests.waiting import wait_until

NAVIGATION = {
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "none",
    "Accept": "text/html",
}
SCRIPT = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"}
Pairs = list[tuple[str, str]]


@dataclass
class Response:
    status: int
    headers: Pairs
    body: bytes

    def __getitem__(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def set_cookies(self) -> dict[str, str]:
        return dict(line.split(";", 1)[0].split("=", 1) for line in self.all("Set-Cookie"))

    @property
    def seen(self) -> dict[str, str]:
        """The headers that the engine saw, names in lower case."""
        return dict(map(tuple, self.json()["headers"]))


@dataclass
class Gateway:
    port: int
    upstream: str
    caddy: subprocess.Popen
    gwauth: subprocess.Popen
    auth_address: str
    free_engine_port: int  # nobody listens there
    data_dir: Path

    @property
    def domain(self) -> str:
        return f"engines.localhost:{self.port}"

    @property
    def portal_host(self) -> str:
        return f"portal.localhost:{self.port}"

    def host(self, instance: Instance) -> str:
        return f"{instance.slug}.{self.domain}"

    def send(self, host: str, path: str = "/", method: str = "GET", headers: dict[str, str] | Pairs = (), body=None) -> Response:
        """One request over one connection; headers and path go out as they are."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host)
            for name, value in headers.items() if isinstance(headers, dict) else headers:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return Response(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def visit(self, instance: Instance, path: str = "/", cookie: str = "", **headers: str) -> Response:
        """Open a page of the engine in a tab."""
        return self.send(self.host(instance), path, headers=NAVIGATION | with_cookie(cookie) | spelled(headers))

    def call(self, instance: Instance, path: str = "/", cookie: str = "", method: str = "GET", **headers: str) -> Response:
        """Call the engine from a script of its own page."""
        return self.send(self.host(instance), path, method, SCRIPT | with_cookie(cookie) | spelled(headers))

    def ask(self, instance: Instance, secret: str, path: str = "/", method: str = "GET", **headers: str) -> Response:
        """Call the engine from a program with an API token."""
        return self.send(self.host(instance), path, method, {"Authorization": f"Bearer {secret}"} | spelled(headers))

    def begin(self, instance: Instance, path: str = "/") -> tuple[str, str]:
        """The nonce cookie, and the path on the portal that the visitor is sent to."""
        answer = self.visit(instance, path)
        assert answer.status == 302, (answer.status, answer.body[:500])
        portal = urlsplit(answer["Location"])
        assert portal.netloc == self.portal_host
        return f"{NONCE}={answer.set_cookies[NONCE]}", f"{portal.path}?{portal.query}"

    def authorize(self, client: Client, portal_path: str) -> str:
        """The path of the callback on the engine's host, for somebody who may enter."""
        answer = client.get(portal_path)
        assert answer.status_code == 302, answer.status_code
        callback = urlsplit(answer["Location"])
        return f"{callback.path}?{callback.query}"

    def sign_in(self, client: Client, instance: Instance) -> str:
        """The visitor's cookie after the whole hand-off."""
        nonce, portal_path = self.begin(instance)
        callback = self.authorize(client, portal_path)
        answer = self.visit(instance, callback, cookie=nonce)
        assert answer.status == 303, answer.body
        return f"{PASS}={answer.set_cookies[PASS]}"


def with_cookie(cookie: str) -> dict[str, str]:
    return {"Cookie": cookie} if cookie else {}


def spelled(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def run_uvicorn(app: str, port: int, log: Path, *, host: str = "127.0.0.1", **variables: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "uvicorn", app, "--host", host, "--port", str(port), "--no-access-log"]
    command += ["--timeout-graceful-shutdown", "1"]
    return run(command, log, **variables)


def run(command: list[str], log: Path, **variables: str) -> subprocess.Popen:
    with log.open("ab") as output:
        return subprocess.Popen(command, env=os.environ | variables, stdout=output, stderr=output)


def wait_for_port(port: int, process: subprocess.Popen, log: Path, *, host: str = "127.0.0.1") -> None:
    def listens() -> bool:
        assert process.poll() is None, log.read_text()
        connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", "/")
            return bool(connection.getresponse().status)
        except OSError:
            return False
        finally:
            connection.close()

    wait_until(listens, seconds=60)


def end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def cookie_value(cookie: str) -> str:
    return re.fullmatch(r"[^=]+=(.*)", cookie)[1]
