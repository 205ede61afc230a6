"""Browsers, providers and what operators write about them."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
import redis
from django.test import Client

from tenants.models import User
from tests.tenants.sign_in.provider_double import ProviderDouble, running_double
from tests.waiting import wait_until

HOST = "portal.localhost:8000"
PASSWORD = "a-long-secret"


@pytest.fixture(autouse=True)
def nothing_counted_or_kept(valkey: redis.Redis, db: None) -> None:
    """Rate limits, keys and endpoints are kept in Valkey: every test begins without."""


@pytest.fixture
def browser() -> Client:
    return Client(HTTP_HOST=HOST, HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")


@pytest.fixture
def another_browser() -> Client:
    return Client(HTTP_HOST=HOST)


@pytest.fixture
def alice(alice: User) -> User:
    """Somebody with a password."""
    alice.set_password(PASSWORD)
    alice.save()
    return alice


@pytest.fixture
def signed_in(browser: Client, alice: User) -> Client:
    """Alice's browser, which has just shown once more that it is hers."""
    browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return browser


@pytest.fixture
def double() -> Iterator[ProviderDouble]:
    with running_double() as provider:
        yield provider


@pytest.fixture
def configure(settings: Any) -> Callable[..., None]:
    """Write AIGC_OIDC_PROVIDERS: one provider for each set of keys."""

    def write(*providers: dict[str, Any]) -> None:
        settings.OIDC_PROVIDERS = json.dumps({"providers": providers})

    return write


@pytest.fixture
def described(double: ProviderDouble) -> dict[str, Any]:
    """The double as an operator describes it: everybody at acme.example is a member of acme."""
    grants = [{"tenant": "acme", "email_domains": ["acme.example"], "roles": {"leads": "admin"}, "default_role": "member"}]
    client = {"client_id": "portal", "client_secret": "s"}
    return {"id": "double", "name": "Double", "issuer": double.issuer, "grants": grants} | client


class MockProvider:
    """The published oidc-provider-mock, as a process."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"

    def person(self, sub: str, **claims: Any) -> None:
        httpx.put(f"{self.issuer}/users/{sub}", json=claims).raise_for_status()

    def remove(self, sub: str) -> None:
        """Take the person's tokens, which is all that removing somebody means to us."""
        httpx.post(f"{self.issuer}/users/{sub}/revoke-tokens").raise_for_status()


@pytest.fixture(scope="session")
def mock_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockProvider]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", "true"]
    log: Path = tmp_path_factory.mktemp("provider") / "log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output, env=os.environ) as process:
        try:
            wait_until(lambda: process.poll() is not None or _listens(port))
            assert process.poll() is None, log.read_text()
            yield MockProvider(port)
        finally:
            process.terminate()


@pytest.fixture
def mock(mock_process: MockProvider, configure: Callable[..., None]) -> MockProvider:
    """The mock, configured: groups lead into acme and bolt, and its refresh tokens vouch for people."""
    roles = {"artists": "member", "leads": "admin", "bosses": "owner"}
    configure(
        {
            "id": "mock",
            "name": "Mock",
            "issuer": mock_process.issuer,
            "client_id": "portal",
            "client_secret": "s",
            "scopes": ["openid", "profile", "email", "offline_access"],
            "grants": [
                {"tenant": "acme", "roles": roles},
                {"tenant": "bolt", "claim": "studio", "values": ["bolt"], "default_role": "viewer"},
            ],
        }
    )
    return mock_process


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def begin(browser: Client, provider: str, **query: str) -> tuple[str, dict[str, str]]:
    """Press a provider's button; return the provider's address and what the portal asks it."""
    page = browser.post(f"/accounts/oidc/{provider}/login/" + (f"?{urlencode(query)}" if query else ""))
    assert page.status_code == 200, page.content.decode()
    parts = urlsplit(page.context["address"])
    return page.context["address"], {name: values[0] for name, values in parse_qs(parts.query).items()}


def come_back(browser: Client, provider: str, **query: str) -> Any:
    """Be sent back by the provider."""
    return browser.get(f"/accounts/oidc/{provider}/login/callback/", query)


def sign_in(browser: Client, double: ProviderDouble, **query: str) -> Any:
    """Sign in by the double, which signs whatever it is told to; return the portal's answer."""
    _address, asked = begin(browser, "double", **query)
    double.nonce = asked["nonce"]
    return come_back(browser, "double", code="c", state=asked["state"])


def sign_in_by_mock(browser: Client, sub: str, **query: str) -> Any:
    """Sign in by the mock, as a person does: its page, the button, the way back."""
    address, _asked = begin(browser, "mock", **query)
    answer = httpx.post(address, data={"sub": sub})
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["Location"])
    assert back.netloc == HOST
    return browser.get(f"{back.path}?{back.query}")


def is_signed_in(browser: Client) -> bool:
    return "/accounts/login/" not in browser.get("/").headers.get("Location", "")
