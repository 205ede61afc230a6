"""What the real processes write into their logs when requests, failures and outages bring secrets near them."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from aigc_portal.demo_accounts import DEMO_PASSWORD
from tests.stack import Person, Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("logs")]
CANARY = "c4n4ryKx81Zq90aBcD"
QUERY = f"?code={CANARY}&token={CANARY}&state={CANARY}&n={CANARY}"
HEADERS = {
    "Authorization": f"Bearer aigc_{CANARY}{CANARY}{CANARY}"[:52],
    "Cookie": f"__Host-portal={CANARY}; __Host-aigc_s={CANARY}; other={CANARY}",
    "Referer": f"https://x.example/{QUERY}",
    "X-CSRFToken": CANARY,
}
FAILING_TASK = (
    f"from engines.tasks import reconcile_instance; reconcile_instance.delay('token={CANARY} of mallory.c4n4ry@example.org')"
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("logs") / "data") as running:
        yield running


def test_no_log_of_any_process_keeps_a_secret(stack: Stack) -> None:
    ask_for_all_kinds_of_things(stack)
    stack.manage("shell", "--no-imports", "-c", FAILING_TASK)
    wait_until(lambda: "token=… of m…@example.org" in stack.output(), seconds=30)
    ask_while_the_portal_is_away(stack)
    assert "Not Found: /x/reset/key/…/" in stack.output()
    assert "c4n4ry" not in stack.output()
    assert [path for path in logs_of(stack) if b"c4n4ry" in path.read_bytes()] == []


def ask_for_all_kinds_of_things(stack: Stack) -> None:
    """Pages that are there and are not, signing in with the wrong password and the right one, an engine's host."""
    alice = Person(stack)
    alice.post("/accounts/login/", login="alice", password=CANARY)
    alice.sign_in("alice", DEMO_PASSWORD)
    for path in (
        f"/acme/{QUERY}",
        f"/acme/instances/nothing/{QUERY}",
        f"/gw/authorize{QUERY}",
        f"/x/reset/key/1-{CANARY}/{QUERY}",
    ):
        alice.get(path)
    alice.client.close()
    portal, engines = stack.portal.removeprefix("http://"), stack.environment["AIGC_ENGINES_DOMAIN"]
    for host in (portal, f"bcdfghjkmn.{engines}", "evil.example"):
        for path in ("/.aigc/callback", "/accounts/password/reset/key/1-" + CANARY + "/", "/sdapi/v1/txt2img"):
            httpx.get(f"http://127.0.0.1:{stack.port}{path}{QUERY}", headers=HEADERS | {"Host": host})
    # Past the gateway, with a name that nobody has, and with a body that is none.
    bind = stack.environment["AIGC_PORTAL_BIND"]
    httpx.get(f"http://{bind}/{QUERY}", headers=HEADERS | {"Host": f"password={CANARY}.example"})
    httpx.post(f"http://{bind}/accounts/login/{QUERY}", headers=HEADERS | {"Host": portal}, content=f"password={CANARY}")


def ask_while_the_portal_is_away(stack: Stack) -> None:
    for process in stack.processes("web"):
        process.kill()
    address = f"http://127.0.0.1:{stack.port}/away/{CANARY}{QUERY}"
    answer = httpx.get(address, headers=HEADERS | {"Host": stack.portal.removeprefix("http://")}, timeout=30)
    assert answer.status_code == 503


def logs_of(stack: Stack) -> list[Path]:
    """Whatever the programs write beside their output: PostgreSQL's, Valkey's, the gateway's files."""
    found = [
        path for path in stack.data_dir.rglob("*") if path.is_file() and (path.suffix == ".log" or "log" in path.parent.name)
    ]
    assert found
    return found
