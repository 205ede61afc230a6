"""Every page in a real browser: none asks for what its policy forbids, and what the policy forbids does not happen."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from aigc_portal.demo_accounts import DEMO_PASSWORD
from tests.e2e.test_story import launch_loom, sign_in
from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]
# Pages that differ only in a number, a name or the way they are sorted are looked at this many times.
OF_A_KIND = 1
NO_PAGES = re.compile(
    r"logout|\.csv|/costs/export|/log\.txt|/archive|/download/|/export/|/(suspend|resume|end|keep|look)/$|/file|/thumbnail|-one/|/static/"
)


@pytest.fixture(scope="module")
def loom(browser: Browser, stack: Stack) -> str:
    """An engine that runs, so that there are pages of one; where its page is."""
    context = browser.new_context(base_url=stack.portal)
    page = context.new_page()
    sign_in(page, "alice")
    row = launch_loom(page, "Watched")
    address = row.get_by_role("link", name="Watched", exact=True).get_attribute("href")
    context.close()
    assert address
    return address


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser says of pages: refused loads, errors, and expressions that Alpine cannot read."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            found.append(f"{urlsplit(page.url).path}: {message.text}")

    page.on("console", note)
    return found


def walk(page: Page, start: str) -> list[str]:
    """Follow links from page to page below `start`; returns the addresses."""
    seen: list[str] = []
    kinds: dict[str, int] = {}
    waiting = [start]
    while waiting:
        address = waiting.pop(0)
        kind = re.sub(r"[0-9]+|[a-z0-9]{8,}", "*", address.partition("?")[0]) + "?" * ("?" in address)
        if address in seen or kinds.get(kind, 0) >= OF_A_KIND:
            continue
        kinds[kind] = kinds.get(kind, 0) + 1
        seen.append(address)
        page.goto(address)
        waiting += [each for each in links(page) if each.startswith(start) and not NO_PAGES.search(each)]
    return seen


def links(page: Page) -> Iterator[str]:
    here = urlsplit(page.url)
    for reference in page.eval_on_selector_all("a[href]", "links => links.map(link => link.getAttribute('href'))"):
        there = urlsplit(urljoin(page.url, reference))
        if there.netloc == here.netloc:
            yield there.path + (f"?{there.query}" if there.query else "")


def test_pages_of_a_tenant_keep_to_their_policy(page: Page, complaints: list[str], loom: str) -> None:
    sign_in(page, "anna")
    seen = walk(page, "/acme/")
    assert complaints == []
    assert {"/acme/", "/acme/launch/", "/acme/data/", "/acme/costs/", "/acme/team/", "/acme/notifications/", loom} <= set(seen)


@pytest.mark.parametrize("address", ["/accounts/login/", "/accounts/password/reset/", "/admin/login/", "/nothing/of/the/kind/"])
def test_pages_for_everybody_keep_to_their_policy(browser: Browser, stack: Stack, address: str) -> None:
    context = browser.new_context(base_url=stack.portal)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(address)
    expect(page.get_by_role("heading").first).to_be_visible()
    assert [each for each in complaints if "404 (Not Found)" not in each] == []  # that an address is not there is no fault
    context.close()


def test_pages_of_operators_keep_to_their_policy(page: Page, complaints: list[str], loom: str) -> None:
    sign_in_to_admin(page)
    seen = walk(page, "/admin/")
    assert complaints == []
    assert len(seen) > 60


def test_what_operators_pages_do_still_works(page: Page, complaints: list[str]) -> None:
    """The parts of the theme that its own Alpine would evaluate."""
    sign_in_to_admin(page)
    page.goto("/admin/engines/engineversion/")
    sidebar = page.locator("#nav-sidebar")
    expect(sidebar).to_be_visible()
    page.get_by_text("dock_to_right").first.click()
    expect(sidebar).to_be_hidden()
    page.reload()
    expect(sidebar).to_be_hidden()
    page.get_by_text("dock_to_right").first.click()
    expect(sidebar).to_be_visible()
    page.locator(".action-select").first.check()
    expect(page.locator("#changelist-actions")).to_be_visible()
    page.locator("#changelist-actions select[name=action]").select_option(index=1)
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Control+k")
    palette = page.locator("#search-input-command")
    expect(palette).to_be_visible()
    palette.press_sequentially("tenants")
    expect(page.locator("#command-results-list li").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/tenants/**")
    assert complaints == []


ATTACK = """async (address) => {
    window.ran = [];
    const script = document.createElement("script");
    script.textContent = "window.ran.push('inline')";
    document.body.append(script);
    const holder = document.createElement("div");
    holder.innerHTML = `<img src="data:,x" onerror="window.ran.push('handler')">`
        + `<a href="javascript:window.ran.push('address')">x</a>`;
    document.body.append(holder);
    holder.querySelector("a").click();
    // Later, for what a test calls by itself may do more than a page.
    await new Promise(done => setTimeout(() => { try { eval("window.ran.push('eval')"); } catch {} done(); }));
    await new Promise(done => {
        const other = document.createElement("script");
        other.src = address;
        other.onload = () => { window.ran.push("uploaded"); done(); };
        other.onerror = done;
        document.body.append(other);
    });
    return window.ran;
}"""


@pytest.mark.parametrize("start", ["/acme/", "/admin/"])
def test_what_slips_into_a_page_does_not_run(browser: Browser, stack: Stack, start: str) -> None:
    """Not even from the portal's own host: what people upload is there too."""
    context = browser.new_context(base_url=stack.portal)
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    sign_in_to_admin(page) if start == "/admin/" else sign_in(page, "alice")
    page.goto(start)
    assert page.evaluate(ATTACK, f"{stack.portal}/healthz") == []
    for what in ("inline script", "inline event handler", "JavaScript URL", "/healthz"):
        assert any(what.lower() in each.lower() and "Content Security Policy" in each for each in refused), (what, refused)
    context.close()


def sign_in_to_admin(page: Page) -> None:
    page.goto("/accounts/login/?next=/admin/")
    page.get_by_label("Login").fill("olga")
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
