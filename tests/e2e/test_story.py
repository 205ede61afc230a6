"""The main job, as an artist does it: launch, visit, make a picture, pause, resume, see the cost, delete."""

import os
import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from aigc_portal.demo_accounts import DEMO_PASSWORD
from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]
START_MS = 30_000
PICTURE_MS = 60_000


def sign_in(page: Page, username: str) -> None:
    page.goto("/")
    page.get_by_label("Login").fill(username)
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Engines")).to_be_visible()


def launch_loom(page: Page, name: str) -> Locator:
    """Launch Loom 2 on a small CPU and return its row, once it runs."""
    page.goto("/acme/launch/")
    page.get_by_role("radio", name="Loom").check()
    expect(page.get_by_label("Version", exact=True)).to_have_value("2")
    page.get_by_role("radio", name="CPU small").check()
    expect(page.get_by_label("Summary")).to_contain_text("USD 0.36")
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_label("Summary").get_by_role("button", name="Launch").click()
    row = row_of(page, name)
    expect(row).to_contain_text("Running", timeout=START_MS)
    return row


def row_of(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("link", name=name, exact=True))


def visit(row: Locator) -> Page:
    with row.page.context.expect_page() as opened:
        row.get_by_role("link", name="Open").click()
    return opened.value


def pictures(engine: Page) -> Locator:
    return engine.locator("#gallery img")


def make_picture(engine: Page, prompt: str) -> None:
    engine.get_by_label("Prompt", exact=True).fill(prompt)
    engine.get_by_role("button", name="Generate").click()
    expect(pictures(engine)).to_have_count(1, timeout=PICTURE_MS)


def use_files(page: Page, row: Locator, directory: Path) -> None:
    """Look at the engine's files while it is paused: a picture, a large file there and back, and both gone again."""
    row.get_by_role("link", name="Dragon", exact=True).click()
    page.get_by_role("link", name="Files", exact=True).click()
    room = page.get_by_role("region", name="Files")
    expect(room.get_by_role("link", name="library")).to_be_visible()
    Image.new("RGB", (600, 400), "teal").save(directory / "reference.png")
    model = directory / "model.safetensors"
    model.write_bytes(os.urandom(20_000_000))
    room.locator("input[type=file]").set_input_files([directory / "reference.png", model])
    uploads = page.get_by_role("region", name="Uploads")
    expect(uploads.get_by_text("uploaded")).to_have_count(2, timeout=PICTURE_MS)
    uploads.get_by_role("button", name="Close the list of uploads").click()
    with page.expect_download() as download:
        room.get_by_role("link", name="model.safetensors").click()
    assert download.value.path().read_bytes() == model.read_bytes()
    room.get_by_role("link", name="reference.png").click()
    shown = page.get_by_role("dialog").get_by_role("img", name="reference.png")
    expect(shown).to_have_js_property("naturalWidth", 600)
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    room.get_by_label("Choose reference.png").check()
    room.get_by_label("Choose model.safetensors").check()
    room.get_by_role("button", name="Delete…").click()
    expect(page.get_by_role("dialog")).to_contain_text("2 files (19.1\xa0MiB) are gone for good")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(room.get_by_role("link", name="library")).to_be_visible()
    expect(room.get_by_role("link", name="reference.png")).to_have_count(0)


def test_the_main_job(page: Page, stack: Stack, tmp_path: Path) -> None:
    sign_in(page, "alice")
    row = launch_loom(page, "Dragon")

    engine = visit(row)
    assert re.fullmatch(rf"http://[a-z0-9]{{10}}\.engines\.localhost:{stack.port}/", engine.url)
    make_picture(engine, "a golden dragon above a blue forest")
    engine.close()

    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("Paused", timeout=START_MS)
    use_files(page, row, tmp_path)
    page.goto("/acme/")
    row.get_by_role("button", name="Resume").click()
    expect(row).to_contain_text("Running", timeout=START_MS)
    engine = visit(row)
    expect(pictures(engine)).to_have_count(1)
    engine.close()

    page.get_by_role("link", name="Costs").click()
    page.get_by_role("link", name="Statement").click()
    cost = page.get_by_role("row").filter(has_text="Dragon").first
    expect(cost).to_contain_text("CPU small")
    expect(cost).to_contain_text("USD")

    page.goto("/acme/")
    row.get_by_label("More for Dragon").click()
    row.get_by_role("link", name="Delete…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Move the data to the trash").click()
    dialog.get_by_label("Type Dragon to confirm").fill("Dragon")
    dialog.get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0, timeout=START_MS)
    page.goto("/acme/data/")
    expect(page.get_by_text("Dragon").first).to_be_visible()


def test_a_paused_engine_is_woken_at_its_own_address(page: Page, stack: Stack) -> None:
    sign_in(page, "alice")
    row = launch_loom(page, "Wolf")
    engine = visit(row)
    address = engine.url
    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("Paused", timeout=START_MS)

    engine.goto("about:blank")  # its own page would try to reconnect, and fail as it should
    engine.goto(f"{address}?deep=link")
    expect(engine.get_by_role("heading", name="Wolf is paused.")).to_be_visible()
    assert engine.url.startswith(f"{stack.portal}/gw/waking/")
    engine.get_by_role("button", name="Start").click()
    engine.wait_for_url(f"{address}?deep=link", timeout=START_MS)
    expect(engine.get_by_role("heading", name="Loom")).to_be_visible()


def test_a_stranger_finds_nothing(page: Page, browser: Browser, stack: Stack) -> None:
    sign_in(page, "alice")
    row = launch_loom(page, "Secret")
    engine = visit(row)
    address = engine.url
    instance = row.get_by_role("link", name="Secret", exact=True).get_attribute("href")
    assert instance is not None

    strangers = browser.new_context(base_url=stack.portal)
    stranger = strangers.new_page()
    sign_in(stranger, "bob")
    for path in (instance, "/acme/", "/acme/costs/", "/acme/launch/", address):
        answer = stranger.goto(path)
        assert answer is not None
        assert answer.status == 404, path
        assert "Secret" not in stranger.content()
    strangers.close()


def test_moments_are_in_the_readers_zone(browser: Browser, stack: Stack) -> None:
    context = browser.new_context(base_url=stack.portal, timezone_id="Asia/Shanghai")
    page = context.new_page()
    sign_in(page, "alice")
    launch_loom(page, "Stork").get_by_role("link", name="Stork", exact=True).click()
    page.get_by_role("link", name="Timeline").click()
    moment = page.locator(".timeline time").first
    at = datetime.fromisoformat(str(moment.get_attribute("datetime"))).astimezone(ZoneInfo("Asia/Shanghai"))
    expect(moment).to_have_text(f"{at:%Y-%m-%d %H:%M:%S}")
    context.close()


def test_an_answer_finds_a_row_that_was_replaced_meanwhile(page: Page, stack: Stack) -> None:
    sign_in(page, "alice")
    row = launch_loom(page, "Heron")
    row.evaluate(
        """row => {
            row.querySelector('[data-key="pause"]').click();
            const fresh = row.cloneNode(true);  // as the server sends it: nothing in it waits for an answer
            fresh.querySelectorAll(".htmx-request").forEach((each) => each.classList.remove("htmx-request"));
            row.replaceWith(fresh);
        }"""
    )
    expect(row).to_contain_text("Paused", timeout=START_MS)
    row.get_by_role("button", name="Resume").click()
    expect(row).to_contain_text("Running", timeout=START_MS)
