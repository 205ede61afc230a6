"""Alice at the portal: her list of instances with its WebSocket open, and the buttons she clicks."""

import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx
from websockets.sync.client import connect

from aigc_portal.demo_accounts import DEMO_PASSWORD
from tests.stack import Person, Stack

TENANT = "acme"
ANSWER_SECONDS = 60
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none", "Accept": "text/html"}


@dataclass(frozen=True)
class Launched:
    """An instance that runs, and how long it took from sending the form to the page that shows it running."""

    slug: str
    name: str
    seconds: float


class Desk:
    """Signs in, listens, and gives the machine back what was launched: `with Desk(stack) as desk:`."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.person = Person(stack)
        self.person.sign_in("alice", DEMO_PASSWORD)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.person.get(f"/{TENANT}/launch/").text)
        assert token, "the launch page has no form"
        self.token = token[1]
        self.heard: list[tuple[float, str]] = []  # when by time.monotonic(), and what
        self.news = threading.Condition()
        self.running: list[Launched] = []

    def __enter__(self) -> Self:
        self.socket = connect(
            live_address(self.stack),
            sock=socket.create_connection(("127.0.0.1", self.stack.port)),
            origin=self.stack.portal,
            additional_headers={"Cookie": self.cookie},
        )
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        self.wait_for(lambda text: text == "")  # the greeting: every later change will be sent
        return self

    def __exit__(self, _type: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        try:
            if error is None:  # else the product ends in a moment, and its engines with it
                for launched in list(self.running):
                    self.delete(launched)
        finally:
            self.socket.close()
            self.listener.join()
            self.person.client.close()

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.person.cookies.items())

    def launch(self, name: str, *, engine: str = "loom", version: str = "2") -> Launched:
        """Click on Launch; returns when the page has been told that the engine runs."""
        since = len(self.heard)
        fields = {"engine": engine, "version": version, "gpu_class": "cpu-small", "storage": "new", "size_gib": "1", "name": name}
        sent_at = time.monotonic()
        self.click(f"/{TENANT}/launch/", **fields)
        told_at, row = self.wait_for(
            lambda text: f">{name}</a>" in text and re.search('data-group="(running|failed)"', text), since
        )
        assert 'data-group="running"' in row, row
        slug = re.search(r'id="instance-(\w+)"', row)
        assert slug, row
        self.running.append(Launched(slug[1], name, told_at - sent_at))
        return self.running[-1]

    def delete(self, launched: Launched) -> None:
        """Click on Delete, data included; returns when the page has been told that the instance is gone."""
        since = len(self.heard)
        self.click(f"/{TENANT}/instances/{launched.slug}/delete/", volume="trash", name=launched.name)
        self.wait_for(lambda text: f'id="instance-{launched.slug}"' in text and 'hx-swap-oob="delete"' in text, since)
        self.running.remove(launched)

    def click(self, path: str, **fields: str) -> None:
        """Post a form as a browser does on a connection it keeps."""
        data = {"csrfmiddlewaretoken": self.token, **fields}
        answer = self.person.client.post(path, data=data, headers={"Cookie": self.cookie})
        assert answer.is_redirect, f"{path}: {answer.status_code} {answer.text[-2000:]}"

    def enter(self, slug: str) -> str:
        """Visit an engine as a browser does; returns the Cookie header that lets later requests in."""
        host = {"Host": f"{slug}.engines.localhost:{self.stack.port}", **NAVIGATION}
        gateway = f"http://127.0.0.1:{self.stack.port}"
        stopped = httpx.get(gateway, headers=host)
        portal = urlsplit(stopped.headers["Location"])
        let_in = self.person.client.get(f"{portal.path}?{portal.query}", headers={"Cookie": self.cookie})
        callback = urlsplit(let_in.headers["Location"])
        nonce = stopped.headers["Set-Cookie"].partition(";")[0]
        entered = httpx.get(f"{gateway}{callback.path}?{callback.query}", headers={**host, "Cookie": nonce})
        assert entered.status_code == 303, entered.text
        return str(entered.headers["Set-Cookie"].partition(";")[0])

    def wait_for(self, wanted: Callable[[str], object], since: int = 0) -> tuple[float, str]:
        """Return the first message from number `since` on that is wanted, and when it came."""
        deadline = time.monotonic() + ANSWER_SECONDS
        with self.news:
            while True:
                for moment, text in self.heard[since:]:
                    if wanted(text):
                        return moment, text
                if not self.news.wait(deadline - time.monotonic()):
                    raise TimeoutError("the page was not told what it waited for")

    def _listen(self) -> None:
        for text in self.socket:
            moment = time.monotonic()
            with self.news:
                self.heard.append((moment, str(text)))
                self.news.notify_all()


def live_address(stack: Stack) -> str:
    """The WebSocket of the list of instances, as a page opens it."""
    return f"{stack.portal.replace('http', 'ws', 1)}/ws/live/{TENANT}/?lang=en"
