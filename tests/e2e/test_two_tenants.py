"""Engines of two tenants in one browser: neither page gets at the other's, whatever it tries."""

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect

from aigc_portal.demo_accounts import DEMO_PASSWORD
from gateway.cookies import PASS
from tests.e2e.test_story import START_MS, row_of, visit
from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]


@pytest.fixture(scope="module")
def context(browser: Browser, stack: Stack):
    """One browser profile in which alice of acme and bob of bolt both have an engine open.

    The demo's engine keeps its own page from calling others. An attacker's would not, so the browser is told to overlook that.
    """
    context = browser.new_context(base_url=stack.portal, bypass_csp=True)
    yield context
    context.close()


@pytest.fixture(scope="module")
def engines(context: BrowserContext) -> tuple[Page, Page]:
    """The victim's engine and the attacker's, side by side."""
    victim = open_engine(context, "alice", "acme", "Victim")
    context.clear_cookies(name="__Host-portal")  # her session lives on; somebody else sits down before the same browser
    attacker = open_engine(context, "bob", "bolt", "Attacker")
    return victim, attacker


def open_engine(context: BrowserContext, username: str, tenant: str, name: str) -> Page:
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Login").fill(username)
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"/{tenant}/launch/")
    page.get_by_role("radio", name="Loom").check()
    page.get_by_role("radio", name="CPU small").check()
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_label("Summary").get_by_role("button", name="Launch").click()
    row = row_of(page, name)
    expect(row).to_contain_text("Running", timeout=START_MS)
    engine = visit(row)
    expect(engine.get_by_role("heading", name="Loom")).to_be_visible()
    page.close()
    return engine


def origin(engine: Page) -> str:
    found = re.match(r"http://[^/]+", engine.url)
    assert found
    return found[0]


def passes(context: BrowserContext) -> dict[str, str]:
    return {cookie["domain"]: cookie["value"] for cookie in context.cookies() if cookie["name"] == PASS}


FETCH = """async ([address, options]) => {
    try { const answer = await fetch(address, options); return answer.type + " " + answer.status; }
    catch { return "failed"; }
}"""
JOB = '{"prompt": "stolen", "steps": 1, "width": 64, "height": 64}'
# To the browser the two are one site: it sends the victim's pass along. Without it the answer would be 401.
ATTACKS = [
    ("/sdapi/v1/options", {}),
    ("/sdapi/v1/txt2img", {"method": "POST", "body": JOB}),
    ("/sdapi/v1/interrupt", {"method": "POST"}),
]


def test_no_page_calls_another_tenants_engine(context: BrowserContext, engines: tuple[Page, Page]) -> None:
    victim, attacker = engines
    assert len(passes(context)) == 2
    assert victim.evaluate(FETCH, ["/sdapi/v1/options", {}]) == "basic 200"
    assert attacker.evaluate(FETCH, [origin(victim) + "/sdapi/v1/options", {"credentials": "include"}]) == "failed"
    for path, options in ATTACKS:
        with attacker.expect_response(origin(victim) + path) as answer:
            result = attacker.evaluate(FETCH, [origin(victim) + path, options | {"credentials": "include", "mode": "no-cors"}])
        assert (result, answer.value.status) == ("opaque 0", 403), path
    assert victim.evaluate("async () => (await (await fetch('/api/images')).json()).images.length") == 0


SOCKET = """address => new Promise((resolve) => {
    const socket = new WebSocket(address);
    socket.onopen = () => { socket.close(); resolve("open"); };
    socket.onerror = () => resolve("refused");
})"""


def test_no_page_hijacks_another_tenants_websocket(engines: tuple[Page, Page]) -> None:
    victim, attacker = engines
    address = origin(victim).replace("http:", "ws:") + websocket_path(victim)
    assert victim.evaluate(SOCKET, address) == "open"
    assert attacker.evaluate(SOCKET, address) == "refused"


def websocket_path(engine: Page) -> str:
    """The path of the socket that the engine's own page opens."""
    with engine.expect_websocket() as opened:
        engine.reload()
    return opened.value.url.removeprefix(origin(engine).replace("http:", "ws:"))


TOSS = """domain => {
    for (const name of ["__Host-aigc_s", "__Secure-aigc_s", "aigc_s", "__Host-aigc_p", "theirs"]) {
        for (const place of [`Path=/; Domain=${domain}`, `Path=/sdapi; Domain=${domain}`, "Path=/"]) {
            document.cookie = `${name}=tossed; Secure; ${place}`;
        }
    }
}"""


def test_no_page_tosses_cookies_that_count(context: BrowserContext, engines: tuple[Page, Page]) -> None:
    _victim, attacker = engines
    before = passes(context)
    attacker.evaluate(TOSS, "engines.localhost")
    assert passes(context) == before
    for engine in engines:
        answer = engine.reload()
        assert answer is not None
        assert answer.status == 200
        expect(engine.get_by_role("heading", name="Loom")).to_be_visible()
        assert engine.evaluate(FETCH, ["/sdapi/v1/options", {}]) == "basic 200"
    assert passes(context) == before


FRAME = """address => new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.onload = () => resolve(frame.contentDocument === null ? "foreign" : "own");
    frame.src = address;
    document.body.append(frame);
})"""


def test_no_page_frames_another_tenants_engine_or_the_portal(engines: tuple[Page, Page], stack: Stack) -> None:
    victim, attacker = engines
    with attacker.expect_response(origin(victim) + "/") as answer:
        attacker.evaluate(FRAME, origin(victim) + "/")
    assert answer.value.status == 403
    attacker.evaluate(FRAME, stack.portal + "/bolt/")
    assert not [frame for frame in attacker.frames if frame.get_by_role("heading", name="Engines").count()]


WORKER = "() => navigator.serviceWorker.register('/loom.js').then(() => 'registered', () => 'refused')"


def test_no_page_leaves_a_service_worker_behind(engines: tuple[Page, Page]) -> None:
    assert [engine.evaluate(WORKER) for engine in engines] == ["refused", "refused"]


def test_no_page_reads_the_portal(engines: tuple[Page, Page], stack: Stack) -> None:
    _victim, attacker = engines
    assert attacker.evaluate(FETCH, [stack.portal + "/bolt/", {"credentials": "include"}]) == "failed"
    with attacker.expect_request(stack.portal + "/healthz") as asked:
        attacker.evaluate(FETCH, [stack.portal + "/healthz", {"credentials": "include", "mode": "no-cors"}])
    assert "cookie" not in asked.value.all_headers()


def test_an_engines_links_lead_nowhere_else_after_signing_in(context: BrowserContext, engines: tuple[Page, Page]) -> None:
    """What an attacker puts into a link to the victim's engine stays on the engine."""
    victim, _attacker = engines
    page = context.new_page()
    for path in ("//evil.example/", "/%2F/evil.example", "/.aigc/callback?code=guess"):
        try:
            page.goto(origin(victim) + path)
        except Error as error:
            raise AssertionError(path) from error
        assert page.url.startswith(origin(victim)), path
    page.close()
