"""The whole product and a real browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Page, sync_playwright

from tests.stack import ROOT, Stack

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Headless, as root in a container, and without asking anybody outside this machine for anything.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    directory = tmp_path_factory.mktemp("e2e")
    with Stack(directory / "data") as running:
        make_room(running, directory / "catalog.yaml")
        yield running


CAPPED = """
from tenants.models import Tenant
from tenants.quotas.models import Quota
for tenant in Tenant.objects.all():
    Quota.objects.create(tenant=tenant, author="operator", measure="running", limit=20)
"""


def make_room(stack: Stack, path: Path) -> None:
    """More slots than the demo has, and for everybody: the tests share the stack, and leave engines running."""
    catalog = yaml.safe_load((ROOT / "catalog" / "demo.yaml").read_text())
    catalog["clusters"][0]["slots"][0]["slots"] = 20
    path.write_text(yaml.safe_dump(catalog))
    stack.manage("load_catalog", str(path))
    stack.manage("shell", "--no-imports", "-c", CAPPED)


@pytest.fixture(scope="module")
def browser(stack: Stack) -> Iterator[Browser]:
    """Ends with its module: while it is open an event loop runs in this thread, where other tests need their own."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A fresh browser profile on the portal; errors in the console fail the test."""
    context = browser.new_context(base_url=stack.portal, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where a test leaves its screenshots."""
    return tmp_path
