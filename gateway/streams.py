"""Count the open requests of the class WORK: gwauth sees each begin, and the gateway alone knows when it ends.

Caddy's administration socket lists how many requests are open to each address that it dialled, WebSockets and event streams
included (`GET /reverse_proxy/upstreams`). For requests of the class WORK the Caddyfile dials the same engine under another
spelling of its address, so that those are counted apart: an IPv4 one mapped into IPv6, an IPv6 one with the zone 0, which is
none, a name with the dot at its end.
"""

import asyncio
import json
import logging
import time
from collections.abc import Iterable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from django.db import Error as DatabaseError
from django.db import close_old_connections

from engines.activity.recorded import Recorder
from engines.models import Instance
from engines.states import InstanceState

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
ANSWER_SECONDS = 3.0
ANSWER_LIMIT = 4 * 2**20
_MAPPED, _ZONE = "[::ffff:", "%0]"
_QUESTION = b"GET /reverse_proxy/upstreams HTTP/1.0\r\nHost: gateway\r\n\r\n"


async def watch_streams(recorder: Recorder, admin_socket: Path, executor: Executor) -> None:
    """Note every ten seconds, until cancelled, which engines have open work; nothing is noted while that cannot be told."""
    missed = 0
    while True:
        try:
            upstreams = await open_work(admin_socket)
            recorder.note_open_work(await _slugs(upstreams, executor) if upstreams else [], time.time())
            missed = 0
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError, TimeoutError, DatabaseError) as error:
            missed += 1
            if missed == 2:  # the first time it may not be up yet
                log.warning("open work cannot be counted at the gateway: %s", str(error) or type(error).__name__)
        await asyncio.sleep(LOOK_SECONDS)


async def open_work(admin_socket: Path) -> list[str]:
    """The upstreams to which requests of the class WORK are open.

    Raises OSError, EOFError, ValueError, asyncio.LimitOverrunError or TimeoutError.
    """
    async with asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await asyncio.open_unix_connection(str(admin_socket), limit=ANSWER_LIMIT)
        try:
            writer.write(_QUESTION)
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.partition(b"\r\n")[0]:
                raise ValueError(f"the gateway answered {head[:60]!r}")
            return working(json.loads(await reader.read()))
        finally:
            writer.close()


def working(rows: Any) -> list[str]:
    """The upstreams with open work in an answer of the gateway's. Raises ValueError for one of another shape."""
    try:
        found = [(plain_address(row["address"]), row["num_requests"]) for row in rows]
        return sorted(upstream for upstream, count in found if upstream and count > 0)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the gateway lists its upstreams in another shape: {error!r}") from error


def plain_address(address: str) -> str | None:
    """The upstream whose spelling for work this is; None if it is an upstream as it is."""
    host, _, port = address.rpartition(":")
    if host.startswith("[") and host.endswith(_ZONE):
        return f"{host.removesuffix(_ZONE)}]:{port}"
    if host.startswith(_MAPPED) and host.endswith("]"):
        return f"{host[len(_MAPPED) : -1]}:{port}"
    return f"{host[:-1]}:{port}" if host.endswith(".") else None


async def _slugs(upstreams: list[str], executor: Executor) -> list[str]:
    return await asyncio.get_running_loop().run_in_executor(executor, slugs_of_upstreams, upstreams)


def slugs_of_upstreams(upstreams: Iterable[str]) -> list[str]:
    """The instances that are reached at these addresses now."""
    try:
        running = Instance.objects.filter(state=InstanceState.RUNNING, upstream__in=list(upstreams))
        return list(running.values_list("slug", flat=True))
    finally:
        close_old_connections()
