"""A paused engine comes back for whoever visits it, and for nothing else."""

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.test_story import START_MS, launch_loom, sign_in, visit
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]
# As the portal's own release does: nobody asked for it, so that no person's wish stands against the next visit.
RELEASE = """
from django.db.models import F
from engines import hints
from engines.models import Instance
Instance.objects.filter(name={name!r}).update(desired_state="stopped", generation=F("generation") + 1)
hints.reconcile_soon(Instance.objects.get(name={name!r}).pk)
"""
STATE = """
from engines.models import Instance
print(*Instance.objects.filter(name={name!r}).values_list("state", "generation").get())
"""
PREFETCH = "document.head.append(Object.assign(document.createElement('link'), {rel: 'prefetch', href: '/?ahead'}))"


@dataclass
class Woken:
    """An engine that ran and that the portal has released, at its own address."""

    stack: Stack
    name: str
    address: str

    def seen(self) -> str:
        """Its state and how often something was wished of it, e.g. `stopped 2`."""
        return self.shell(STATE).strip().splitlines()[-1]

    def release(self) -> None:
        self.shell(RELEASE)
        wait_until(lambda: self.seen().startswith("stopped "), seconds=START_MS / 1000, pause=0.5)

    def shell(self, code: str) -> str:
        return self.stack.manage("shell", "--no-imports", "-c", code.format(name=self.name))


@pytest.fixture
def engine(page: Page, stack: Stack, request: pytest.FixtureRequest) -> Iterator[Woken]:
    """`page` is signed in as alice."""
    name = f"Wolf {sum(map(ord, request.node.name))}"
    sign_in(page, "alice")
    opened = visit(launch_loom(page, name))
    engine = Woken(stack, name, opened.url)
    opened.close()
    engine.release()
    yield engine
    page.goto("/acme/")
    if page.get_by_role("button", name="Pause").count():
        page.get_by_role("button", name="Pause").first.click()
    expect(page.get_by_role("listitem").filter(has_text="Paused").first).to_be_visible(timeout=START_MS)


@contextmanager
def other_site(body: str) -> Iterator[str]:
    """A page of somebody else's."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f'<!doctype html><link rel="icon" href="data:,">{body}'.encode())

        def log_message(self, *_words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://elsewhere.localhost:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def lands(page: Page, address: str) -> None:
    page.wait_for_url(address, timeout=START_MS)
    expect(page.get_by_role("heading", name="Loom")).to_be_visible()


def asks(page: Page, engine: Woken) -> None:
    page.wait_for_url("**/gw/waking/**")  # before Playwright looks into a page, which counts to the browser as a person's doing
    expect(page.get_by_role("heading", name=f"{engine.name} is paused.")).to_be_visible()
    expect(page.get_by_text("Another page led here without a click of yours")).to_be_visible()


def test_a_visit_wakes_it_and_goes_on_to_the_deep_link(page: Page, engine: Woken) -> None:
    titles: list[str] = []
    page.expose_function("noteTitle", lambda title: titles.append(title))  # noqa: PLW0108 - it cannot bind a built-in
    page.add_init_script(
        "new MutationObserver(() => noteTitle(document.title)).observe(document, {subtree: true, childList: true})"
    )
    page.goto(f"{engine.address}?deep=link&x=1")
    lands(page, f"{engine.address}?deep=link&x=1")
    assert f"{engine.name} is starting." in titles
    page.go_back()  # not to the page that waited
    assert page.url == f"{engine.stack.portal}/acme/"


def test_another_sites_page_does_not_wake_it_but_a_click_does(page: Page, engine: Woken) -> None:
    before = engine.seen()
    with other_site(f'<script>location = "{engine.address}?by=script"</script>') as elsewhere:
        page.goto(elsewhere)
        asks(page, engine)
    ahead = page.context.new_page()  # whose console tells of the refusal
    with (
        other_site(f'<link rel="prefetch" href="{engine.address}">') as elsewhere,
        ahead.expect_response(engine.address) as answer,
    ):
        ahead.goto(elsewhere)
    assert answer.value.status == 401
    ahead.close()
    with other_site(f'<meta http-equiv="refresh" content="0;url={engine.address}">') as elsewhere:
        page.goto(elsewhere)
        asks(page, engine)
    assert engine.seen() == before
    with other_site(f'<a href="{engine.address}?by=click">the fox picture</a>') as elsewhere:
        page.goto(elsewhere)
        page.get_by_role("link").click()
        lands(page, f"{engine.address}?by=click")


def test_a_forgotten_tab_never_wakes_it(page: Page, browser: Browser, engine: Woken) -> None:
    page.goto(engine.address)
    lands(page, engine.address)
    tab = page.context.new_page()  # whose errors, of a page that lost its engine, are as they should be
    sockets: list[str] = []
    tab.on("websocket", lambda socket: sockets.append(socket.url))
    tab.goto(engine.address)
    expect(tab.get_by_role("heading", name="Loom")).to_be_visible()
    page.goto("about:blank")
    engine.release()
    before = engine.seen()

    already = len(sockets)
    cdp = tab.context.new_cdp_session(tab)

    def run(script: str) -> object:
        """As the page's own code: what Playwright runs itself counts to the browser as a person's doing, for five seconds."""
        return cdp.send("Runtime.evaluate", {"userGesture": False, "expression": script})["result"].get("value")

    run("fetch('/', {method: 'POST'}); fetch('/sdapi/v1/progress')")
    run(PREFETCH)
    wait_in(tab, lambda: len(sockets) >= already + 2 and run("navigator.userActivation.isActive") is False)
    run("location.reload()")
    asks(tab, engine)
    assert engine.seen() == before
    tab.close()


def wait_in(page: Page, condition: Callable[[], bool]) -> None:
    """Wait while the browser's events go on arriving."""
    wait_until(lambda: condition() or page.wait_for_timeout(100), seconds=START_MS / 1000)


def test_without_scripts_the_button_wakes_it(browser: Browser, page: Page, engine: Woken) -> None:
    plain = browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state())
    tab = plain.new_page()
    tab.goto(f"{engine.address}?plain")
    expect(tab.get_by_role("heading", name=f"{engine.name} is paused.")).to_be_visible()
    tab.get_by_role("button", name="Start").click()
    tab.wait_for_url(f"{engine.address}?plain", timeout=START_MS)
    plain.close()
