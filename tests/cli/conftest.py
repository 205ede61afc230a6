"""`aigc` as it is typed, against the portal served over HTTP, or against answers that the portal seldom gives."""

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import redis
import uvicorn

from aigc.app import main
from tenants.access_tokens.operations import Made, Wanted, make_personal_token
from tenants.access_tokens.scopes import Scope
from tenants.models import User
from tests.cli.portal_double import PortalDouble
from tests.stack import free_port
from tests.waiting import wait_until

CLIENT = Path(__file__).resolve().parents[2] / "cli"


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Aigc:
    """Types commands, in this process or in one of their own."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(self, *arguments: str, typed: str = "") -> Done:
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        return Done(int(ended.value.code or 0), *self.capsys.readouterr())

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = dict(os.environ, PYTHONPATH=str(CLIENT), PYTHONUNBUFFERED="1")
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.started.append(subprocess.Popen([sys.executable, "-m", "aigc", *arguments], env=environment, **pipes))
        return self.started[-1]


@pytest.fixture(autouse=True)
def may_be_interrupted() -> Iterator[None]:
    """What a shell runs in its background ignores Ctrl-C, and so would the programs that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's settings but the test's own."""
    for name in (
        "AIGC_URL",
        "AIGC_TOKEN",
        "AIGC_TENANT",
        "AIGC_PATIENCE",
        "AIGC_ALLOW_HTTP",
        "NO_COLOR",
        "LC_ALL",
        "LC_MESSAGES",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def aigc(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Aigc]:
    typed = Aigc(monkeypatch, capsys)
    yield typed
    for process in typed.started:
        with process:
            process.kill()


@pytest.fixture(scope="session")
def served() -> Iterator[int]:
    """The port of this process's own portal."""
    port = free_port()
    config = uvicorn.Config(
        "aigc_portal.asgi:application", host="127.0.0.1", port=port, ws="none", lifespan="off", log_level="warning"
    )
    config.load()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="portal")
    thread.start()
    wait_until(lambda: server.started)
    yield port
    server.should_exit = server.force_exit = True
    thread.join(20)


@pytest.fixture
def portal(served: int, transactional_db: None, valkey: redis.Redis) -> str:
    """Its address; requests are committed, and counted in an empty Valkey."""
    return f"http://portal.localhost:{served}"


@pytest.fixture
def token_of() -> Callable[..., Made]:
    def make(user: User, *, scopes: list[str] | None = None) -> Made:
        wanted = Wanted("a terminal", scopes or list(Scope), timedelta(days=7))
        return make_personal_token(person=user, membership=None, wanted=wanted)

    return make


@pytest.fixture
def as_alice(portal: str, alice: User, token_of: Callable[..., Made], monkeypatch: pytest.MonkeyPatch) -> Made:
    """Commands are alice's."""
    made = token_of(alice)
    monkeypatch.setenv("AIGC_URL", portal)
    monkeypatch.setenv("AIGC_TOKEN", made.secret)
    return made


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[PortalDouble]:
    """Commands go to a portal that answers what the test says."""
    with PortalDouble() as portal:
        monkeypatch.setenv("AIGC_URL", portal.address)
        monkeypatch.setenv("AIGC_TOKEN", "aigc_pat_of_nobody")
        monkeypatch.setenv("AIGC_TENANT", "acme")
        yield portal
