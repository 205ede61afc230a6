"""The guide tells of every kind, and its receiver runs."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import httpx
import pytest

from tenants.notifications.kind import Channel, Kind
from tenants.notifications.kinds import KINDS
from tenants.notifications.models import Delivery, Notification, WebhookEndpoint
from tenants.notifications.operations import try_again
from tenants.notifications.outbox import deliver_due
from tenants.notifications.webhook import body_of
from tests.stack import free_port
from tests.waiting import wait_until

Tell = Callable[..., Notification | None]
GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "guides" / "notifications.md").read_text()


def mailed(kind: Kind) -> str:
    """When there is e-mail of it, in the guide's words."""
    if Channel.EMAIL not in kind.channels:
        return "never"
    if not kind.optional:
        return "always"
    return "on request" if kind.on_request else "by choice"


def test_the_guide_tells_of_every_kind() -> None:
    lines = [tuple(cell.strip(" `") for cell in line.split("|")[1:-1]) for line in GUIDE.splitlines() if line.startswith("| `")]
    rows, moments = [line for line in lines if len(line) == 4], [line[0] for line in lines if len(line) == 3]
    assert rows == [(kind.name, kind.event, str(kind.label), mailed(kind)) for kind in KINDS.values()]
    assert sorted(name for cell in moments for name in cell.split("`, `")) == sorted(KINDS.keys() - {"test"})


def test_the_example_has_the_keys_of_an_event(tell: Tell) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    event, shown = json.loads(body_of(tell())), json.loads(example)
    assert (list(shown), list(shown["data"])) == (list(event), list(event["data"]))


@pytest.fixture
def program(endpoint: WebhookEndpoint, secret: str, tmp_path: Path) -> Iterator[IO[str]]:
    """The receiver of the guide, as a reader would run it; yields what it prints."""
    (code,) = re.findall(r"```python\n(import base64.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "receiver.py").write_text(code)
    port = free_port()
    WebhookEndpoint.objects.update(url=f"http://127.0.0.1:{port}/")
    environment = os.environ | {"WEBHOOK_SECRET": secret, "PORT": str(port)}
    command = [sys.executable, str(tmp_path / "receiver.py")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            wait_until(lambda: answers(port))
            assert process.stdout is not None
            yield process.stdout
        finally:
            process.kill()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/").status_code == 501
    except httpx.TransportError:
        return False


def test_the_receiver_of_the_guide_takes_each_event_once(program: IO[str], tell: Tell) -> None:
    notification = tell(name="龙")
    assert deliver_due()
    assert json.loads(program.readline()) == json.loads(body_of(notification))
    assert try_again(Delivery.objects.all()) == 1
    tell(key="second", name="second")
    assert deliver_due()
    assert json.loads(program.readline())["data"]["context"]["name"] == "second"
    assert set(Delivery.objects.values_list("state", "status")) == {("sent", 204)}


def test_the_receiver_of_the_guide_refuses_forgeries(program: IO[str], tell: Tell) -> None:
    url = WebhookEndpoint.objects.get().url
    forged = {"webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
    assert httpx.post(url, content=b"{}", headers=forged).status_code == 401
