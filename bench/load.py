"""`python -m bench.load`: ask one address over connections that stay open, each again as soon as it is answered.

Reads `{"address", "seconds", "connections", "headers", "length"}` from stdin; the header `:path` is the path. Any answer but a
200 with `length` bytes of body ends it with an error. Prints `{"per_second", "busy"}`: `busy` is this process's share of one
processor, near 1 if it is the bottleneck.
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from typing import cast

import uvloop

from aigc_portal.binds import host_and_port, socket_of


class Asking(asyncio.Protocol):
    """One connection, and how many answers it has had."""

    def __init__(self, request: bytes, length: int) -> None:
        self.request = request
        self.length = length
        self.answers = 0
        self.heard = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.heard += data
        head, found, body = self.heard.partition(b"\r\n\r\n")
        if not found or len(body) < self.length:
            return
        if not head.startswith(b"HTTP/1.1 200 ") or len(body) > self.length:
            self.fail(self.heard[:400])
            return
        self.answers += 1
        self.heard = b""
        self.transport.write(self.request)

    def connection_lost(self, _error: Exception | None) -> None:
        self.fail(b"the connection was closed")

    def fail(self, why: bytes) -> None:
        if not self.ended.done():
            self.ended.set_exception(ConnectionError(why))


async def connect(address: str, asking: Asking) -> Asking:
    """Open one connection to an address as in aigc_portal.binds."""
    loop, socket = asyncio.get_running_loop(), socket_of(address)
    if socket is not None:
        await loop.create_unix_connection(lambda: asking, str(socket))
    else:
        await loop.create_connection(lambda: asking, *host_and_port(address))
    return asking


async def ask(address: str, seconds: float, connections: int, headers: Mapping[str, str], length: int) -> dict[str, float]:
    lines = ["GET {} HTTP/1.1".format(headers.get(":path", "/")), *(f"{k}: {v}" for k, v in headers.items() if k[0] != ":")]
    request = "\r\n".join([*lines, "", ""]).encode()
    asking = [await connect(address, Asking(request, length)) for _ in range(connections)]
    before, busy_before, started = sum(each.answers for each in asking), time.process_time(), time.monotonic()
    failed, _ = await asyncio.wait([each.ended for each in asking], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for each in failed:
        await each
    took, busy = time.monotonic() - started, time.process_time() - busy_before
    answers = sum(each.answers for each in asking) - before
    return {"per_second": answers / took, "busy": busy / took}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(ask(**json.load(sys.stdin)))))
