"""A program's access to an engine, from the page that gives it to the button that takes it away."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_story import START_MS, launch_loom, row_of, sign_in
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]
JOB = {"prompt": "a paper crane", "steps": 1, "width": 64, "height": 64}


def test_a_program_uses_and_wakes_an_engine_until_its_token_is_revoked(page: Page, stack: Stack) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(page, "alice")
    row = launch_loom(page, "Crane")
    row.get_by_role("link", name="Crane", exact=True).click()
    page.get_by_role("link", name="API access", exact=True).click()
    page.get_by_label("Name").fill("nightly batch")
    page.get_by_label("It may").select_option("wake")
    page.get_by_label("Only for").fill("POST /sdapi/v1/txt2img")
    page.get_by_role("button", name="Make token").click()
    expect(page.get_by_role("heading", name="“nightly batch” is made")).to_be_visible()
    page.get_by_role("button", name="Copy the token").click()
    secret = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(r"aigc_[A-Za-z0-9]{40}", secret)
    host = re.search(r"[a-z0-9]{10}\.engines\.localhost:[0-9]+", page.content())
    assert host

    headers = {"Host": host[0], "Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{stack.port}", headers=headers, timeout=30) as program:
        assert len(program.post("/sdapi/v1/txt2img", json=JOB).json()["images"]) == 1
        assert program.get("/sdapi/v1/options").status_code == 403

        page.goto("/acme/")
        row = row_of(page, "Crane")
        row.get_by_role("button", name="Pause").click()
        expect(row).to_contain_text("Paused", timeout=START_MS)
        woken = program.post("/sdapi/v1/txt2img", json=JOB)
        assert (woken.status_code, woken.json()["state"], woken.headers["Retry-After"]) == (503, "starting", "15")
        expect(row).to_contain_text("Running", timeout=START_MS)
        wait_until(lambda: program.post("/sdapi/v1/txt2img", json=JOB).status_code == 200)

        page.goto("/acme/api/")
        expect(page.get_by_role("row", name="nightly batch")).not_to_contain_text("never")
        page.get_by_role("button", name="Revoke nightly batch").click()
        expect(page.get_by_text("“nightly batch” is revoked.")).to_be_visible()
        wait_until(lambda: program.post("/sdapi/v1/txt2img", json=JOB).status_code == 401, seconds=2)
