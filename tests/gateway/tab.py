"""A tab of an engine's page, as its browser and the real gateway have it."""

import json
from dataclasses import dataclass
from datetime import datetime

from websockets.sync.client import ClientConnection

from engines.activity.recorded import Recorded, read
from engines.models import Instance
from tests.gateway.driving import SCRIPT, Gateway, Response
from tests.gateway.test_streams import open_socket
from tests.waiting import wait_until


@dataclass(frozen=True)
class Tab:
    gateway: Gateway
    instance: Instance
    cookie: str

    @property
    def origin(self) -> str:
        return f"http://{self.gateway.host(self.instance)}"

    @property
    def headers(self) -> dict[str, str]:
        """Those of the page's own scripts."""
        return SCRIPT | {"Host": self.gateway.host(self.instance), "Cookie": self.cookie}

    def connect(self) -> ClientConnection:
        """The page's WebSocket."""
        return open_socket(self.gateway, self.gateway.host(self.instance), cookie=self.cookie, origin=self.origin)

    def poll(self, *paths: str) -> list[int]:
        """What the page asks by itself; gives the statuses."""
        return [self.gateway.call(self.instance, path, self.cookie).status for path in paths]

    def post(self, path: str, content: object) -> Response:
        """What a click sends."""
        headers = SCRIPT | {"Cookie": self.cookie, "Origin": self.origin, "Content-Type": "application/json"}
        return self.gateway.send(self.gateway.host(self.instance), path, "POST", headers, json.dumps(content).encode())


def told(instance: Instance, since: datetime, *names: str) -> Recorded:
    """Wait until gwauth has told of such moments since then; gives all that is told."""

    def known() -> Recorded:
        return read([instance.slug])[instance.slug]

    wait_until(lambda: all((at := getattr(known(), name)) and at > since for name in names), seconds=30)
    return known()
