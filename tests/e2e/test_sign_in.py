"""Signing in as people do, in a browser: by their organisation's provider, a real process, and by a passkey."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from aigc_portal.demo_accounts import DEMO_PASSWORD
from tests.e2e.conftest import make_room
from tests.e2e.test_story import START_MS, row_of, visit
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]

PROVIDERS = """
providers:
  - id: studio
    name: Example Studio
    issuer: {issuer}
    client_id: portal
    client_secret: s
    scopes: [openid, profile, email, offline_access]
    grants:
      - {{tenant: acme, email_domains: [acme.example], default_role: member}}
"""
RECHECK = """
from datetime import timedelta
from django.utils import timezone
from tenants.sign_in import rechecking
print("asked", rechecking.recheck_due(now=timezone.now() + timedelta(hours=1)))
"""


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider of OpenID Connect, as a process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _listens(port))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def studio(issuer: str, tmp_path_factory: pytest.TempPathFactory, stack: Stack) -> Iterator[Stack]:
    """A portal of its own that knows the provider; `stack` says whether there is a browser at all."""
    directory = tmp_path_factory.mktemp("studio")
    providers = directory / "providers.yaml"
    providers.write_text(PROVIDERS.format(issuer=issuer))
    with Stack(directory / "data", variables={"AIGC_OIDC_PROVIDERS": str(providers)}) as running:
        make_room(running, directory / "catalog.yaml")
        yield running


@pytest.fixture
def context(browser: Browser, studio: Stack) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=studio.portal, viewport={"width": 1280, "height": 800})
    yield context
    context.close()


def come_in(page: Page, issuer: str, sub: str) -> None:
    claims = {"email": f"{sub}@acme.example", "email_verified": True, "preferred_username": sub}
    httpx.put(f"{issuer}/users/{sub}", json=claims).raise_for_status()
    page.goto("/")
    page.get_by_role("button", name="Sign in with Example Studio").click()
    page.wait_for_url(f"{issuer}/**")
    page.get_by_placeholder("sub").fill(sub)
    page.get_by_role("button", name="Authorize").click()
    expect(page).to_have_url(f"{page.evaluate('location.origin')}/acme/")


def open_engine(page: Page, name: str) -> Page:
    page.goto("/acme/launch/")
    page.get_by_role("radio", name="Loom").check()
    page.get_by_role("radio", name="CPU small").check()
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_label("Summary").get_by_role("button", name="Launch").click()
    row = row_of(page, name)
    expect(row).to_contain_text("Running", timeout=START_MS)
    engine = visit(row)
    expect(engine.get_by_role("heading", name="Loom")).to_be_visible()
    return engine


def test_whoever_is_removed_at_the_provider_is_out_of_portal_and_engine(context: BrowserContext, studio: Stack, issuer: str):
    page = context.new_page()
    come_in(page, issuer, "carol")
    engine = open_engine(page, "Carol’s")
    httpx.post(f"{issuer}/users/carol/revoke-tokens").raise_for_status()
    assert "asked 1" in studio.manage("shell", "--no-imports", "-c", RECHECK)
    page.reload()
    expect(page.get_by_role("heading", name="Sign in to AIGC Portal")).to_be_visible()
    engine.reload()
    expect(engine.get_by_role("heading", name="Sign in to AIGC Portal")).to_be_visible()


def test_signing_out_ends_the_engine_and_the_provider_s_session(context: BrowserContext, issuer: str):
    page = context.new_page()
    come_in(page, issuer, "dora")
    engine = open_engine(page, "Dora’s")
    page.get_by_label("Account of dora").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{issuer}/oauth2/end_session**")
    page.get_by_role("button", name="End session").click()
    expect(page.get_by_role("heading", name="Sign in to AIGC Portal")).to_be_visible()
    engine.reload()
    expect(engine.get_by_role("heading", name="Sign in to AIGC Portal")).to_be_visible()


def test_a_passkey_is_added_and_opens_the_portal(page: Page):
    keys = page.context.new_cdp_session(page)
    keys.send("WebAuthn.enable")
    device = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    device |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    keys.send("WebAuthn.addVirtualAuthenticator", {"options": device})
    page.goto("/accounts/2fa/webauthn/add/")
    page.get_by_label("Login").fill("bob")
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("textbox", name="Name").fill("My laptop")
    page.get_by_label("Passwordless").check()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    page.get_by_label("Account of bob").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_label("Account of bob")).to_be_visible()
    page.goto("/accounts/2fa/webauthn/")
    expect(page.get_by_text("My laptop")).to_be_visible()
    page.get_by_role("link", name="Remove").click()
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("My laptop")).to_be_hidden()
