"""From the commit of a change to the message in each of 200 open browsers, beside a bare broadcast of the same message."""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import httpx
from websockets.asyncio.client import ClientConnection, connect

from bench.desk import TENANT, Desk, live_address
from bench.figures import Figure, percentile
from bench.processes import Actor, acting, serving_app
from tests.stack import Stack, free_port

SEATS = 200
CHANGES = 60
TARGET_MS = 150
ARRIVAL_SECONDS = 10
GREETING = ""


def measure(stack: Stack) -> list[Figure]:
    """Rename an instance again and again; after each change a bare server broadcasts the very same message."""
    port = free_port()
    with Desk(stack) as desk, acting(stack) as actor, serving_app("bench.bare_app:app", f"127.0.0.1:{port}"):
        instance = desk.launch("bench live")
        sessions = actor.ask("seats", tenant=TENANT, count=SEATS)
        told, floor = asyncio.run(change_and_broadcast(stack, actor, instance.slug, sessions, port))
        actor.ask("rename", slug=instance.slug, name=instance.name)
    p99 = percentile(told, 0.99)
    return [
        Figure("live: commit to 200 sockets, median", statistics.median(told), "ms", statistics.median(floor)),
        Figure("live: commit to 200 sockets, p99", p99, "ms", percentile(floor, 0.99), f"≤ {TARGET_MS} ms", p99 <= TARGET_MS),
    ]


async def change_and_broadcast(
    stack: Stack, actor: Actor, slug: str, sessions: Sequence[str], port: int
) -> tuple[list[float], list[float]]:
    """Milliseconds until each arrival: of the product's messages, and of the bare broadcasts."""
    told: list[float] = []
    floor: list[float] = []
    async with AsyncExitStack() as stay, httpx.AsyncClient() as client:
        pages = Gallery([await stay.enter_async_context(page(stack, session)) for session in sessions])
        bare = Gallery([await stay.enter_async_context(connect(f"ws://127.0.0.1:{port}/")) for _ in sessions])
        await pages.arrivals(lambda text: text == GREETING)
        for number in range(CHANGES + 1):
            name = f"bench live {number}"
            committed = await asyncio.to_thread(actor.ask, "rename", slug=slug, name=name)
            moments, message = await pages.arrivals(lambda text, name=name: f">{name}</a>" in text)
            answer = await client.post(f"http://127.0.0.1:{port}/", content=message.encode())
            bare_moments, _ = await bare.arrivals(lambda text, message=message: text == message)
            if number:  # the first warms caches and is not counted
                told += milliseconds(committed, moments)
                floor += milliseconds(answer.json(), bare_moments)
    return told, floor


def page(stack: Stack, session: str) -> connect:
    """The socket of an open page, through the gateway."""
    return connect(
        live_address(stack),
        host="127.0.0.1",
        port=stack.port,
        origin=stack.portal,
        additional_headers={"Cookie": f"__Host-portal={session}"},
        proxy=None,
    )


def milliseconds(since: float, moments: Sequence[float]) -> list[float]:
    return [(moment - since) * 1000 for moment in moments]


class Gallery:
    """Open sockets, and when each hears what."""

    def __init__(self, sockets: Sequence[ClientConnection]) -> None:
        self.size = len(sockets)
        self.heard: asyncio.Queue[tuple[int, float, str]] = asyncio.Queue()
        self.listeners = [asyncio.create_task(self._listen(number, each)) for number, each in enumerate(sockets)]

    async def arrivals(self, wanted: Callable[[str], bool]) -> tuple[list[float], str]:
        """When each socket first heard what is wanted, by time.monotonic(), and one such message."""
        moments: dict[int, float] = {}
        message = ""
        async with asyncio.timeout(ARRIVAL_SECONDS):
            while len(moments) < self.size:
                seat, moment, text = await self.heard.get()
                if wanted(text):
                    moments.setdefault(seat, moment)
                    message = text
        return list(moments.values()), message

    async def _listen(self, seat: int, socket: ClientConnection) -> None:
        async for text in socket:
            self.heard.put_nowait((seat, time.monotonic(), str(text)))
