"""A program wakes a paused engine: through the operation, as the token's maker, at most once in half a minute per instance.

Valkey holds `<prefix>:gw:wake:i:<slug>` for as long as that, and why a start was refused in `<prefix>:gw:wake:refused:<slug>`.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple

import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections

from engines.operations.instances import resume_instance
from gateway import handoff
from gateway.memory import PATIENCE_SECONDS
from gateway.standing import Unavailable, find_token_visit, live_token
from tenants.audit.origin import Channel, Origin, originating
from tenants.errors import PortalError

EVERY_SECONDS = 30
REMEMBERED = 10_000


class _Try(NamedTuple):
    at: float
    task: "asyncio.Task[str]"


class Waker:
    """One per process; Valkey keeps several processes from waking more often than one would."""

    def __init__(self, executor: Executor, clock: Callable[[], float] = time.monotonic) -> None:
        self.executor = executor
        self.clock = clock
        self._tries: dict[str, _Try] = {}

    async def wake(self, slug: str, digest: str) -> str:
        """Ask for the instance to run; return why it was refused, or "". Raises Unavailable or TimeoutError."""
        last = self._tries.get(slug)
        if last is None or self.clock() - last.at >= EVERY_SECONDS or _failed(last.task):
            last = self._begin(slug, digest)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await asyncio.shield(last.task)  # one program hanging up must not undo what others wait for

    def _begin(self, slug: str, digest: str) -> _Try:
        if len(self._tries) >= REMEMBERED:
            self._tries.clear()
        loop = asyncio.get_running_loop()

        async def run() -> str:
            return await loop.run_in_executor(self.executor, _wake_in_thread, slug, digest)

        begun = self._tries[slug] = _Try(self.clock(), asyncio.create_task(run()))
        return begun


def _failed(task: "asyncio.Task[str]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _wake_in_thread(slug: str, digest: str) -> str:
    try:
        return _wake(slug, digest)
    except (DatabaseError, redis.RedisError) as error:
        raise Unavailable from error
    finally:
        close_old_connections()


def _wake(slug: str, digest: str) -> str:
    """Wake unless somebody did a moment ago; that one's outcome is then ours."""
    valkey, names = handoff.valkey(), f"{settings.REDIS_PREFIX}:gw:wake"
    if not valkey.set(f"{names}:i:{slug}", 1, nx=True, ex=EVERY_SECONDS):
        return str(valkey.get(f"{names}:refused:{slug}") or "")
    token = live_token(digest)
    try:
        if token is not None and token.may_wake:
            instance, membership = find_token_visit(slug, token)
            with originating(Origin(channel=Channel.GATEWAY, token=token.key_id)):
                resume_instance(instance=instance, by=membership)
    except PortalError as refusal:
        valkey.set(f"{names}:refused:{slug}", str(refusal), ex=EVERY_SECONDS)
        return str(refusal)
    return ""
