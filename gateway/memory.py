"""What gwauth remembers between requests: each standing for at most two seconds, and not once its instance has changed."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from django.utils import translation

from gateway.callers import Caller
from gateway.standing import Standing

KEEP_SECONDS = 2.0
LIMIT = 20_000
# Less than the gateway waits for us, so that the visitor gets our sentence and not its.
PATIENCE_SECONDS = 4.0

LookUp = Callable[[str, Caller], Standing]
Clock = Callable[[], float]


@dataclass(slots=True, eq=False)
class _Entry:
    asked_at: float
    task: asyncio.Task[Standing]


class Memory:
    """Standings by instance and caller. Simultaneous requests for one that is not known share a single look-up."""

    def __init__(self, look_up: LookUp, executor: Executor, clock: Clock = time.monotonic) -> None:
        self.look_up = look_up
        self.executor = executor
        self.clock = clock
        self.entries: dict[str, dict[Caller, _Entry]] = {}
        self.size = 0

    async def standing(self, slug: str, caller: Caller, *, keep_seconds: float = KEEP_SECONDS) -> Standing:
        """Return what was true at most `keep_seconds` ago. Raises standing.Unavailable or TimeoutError."""
        entry = self.entries.get(slug, {}).get(caller)
        # One that is still being looked up is waited for by whoever comes soon after it was asked.
        if entry is None or self.clock() - entry.asked_at >= (keep_seconds if entry.task.done() else KEEP_SECONDS):
            entry = self._ask(slug, caller)
        if entry.task.done():
            return entry.task.result()
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await asyncio.shield(entry.task)  # one visitor hanging up must not cut off the others

    def forget(self, slug: str) -> None:
        """The instance has changed; look-ups still under way answer those who wait, and nobody after them."""
        self.size -= len(self.entries.pop(slug, ()))

    def forget_all(self) -> None:
        """Changes may have been missed."""
        self.entries.clear()
        self.size = 0

    def _ask(self, slug: str, caller: Caller) -> _Entry:
        if self.size >= LIMIT:
            self.forget_all()
        entry = _Entry(self.clock(), asyncio.create_task(self._run(slug, caller)))
        of_instance = self.entries.setdefault(slug, {})
        self.size += caller not in of_instance
        of_instance[caller] = entry
        entry.task.add_done_callback(lambda task: self._drop_failure(slug, caller, entry, task))
        return entry

    async def _run(self, slug: str, caller: Caller) -> Standing:
        language = translation.get_language()  # the visitor's; threads do not know it

        def look_up() -> Standing:
            with translation.override(language):
                return self.look_up(slug, caller)

        return await asyncio.get_running_loop().run_in_executor(self.executor, look_up)

    def _drop_failure(self, slug: str, caller: Caller, entry: _Entry, task: asyncio.Task[Standing]) -> None:
        """A failed look-up is tried again by the next request."""
        failed = task.cancelled() or task.exception() is not None
        if failed and self.entries.get(slug, {}).get(caller) is entry:
            del self.entries[slug][caller]
            self.size -= 1
