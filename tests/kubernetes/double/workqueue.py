"""Keys that wait to be looked at, each at most once, on the double's loop: how every controller here runs."""

import asyncio
import logging
from collections.abc import Callable, Hashable

log = logging.getLogger(__name__)


class Queue:
    """Calls `sync(key)` soon after `add(key)`; a failure of the double itself is kept for the test to see."""

    def __init__(self, sync: Callable[..., None], failures: list[Exception]) -> None:
        self.sync, self.failures = sync, failures
        self.waiting: dict[Hashable, asyncio.Handle] = {}
        self.closed = False

    def add(self, key: Hashable, after: float = 0) -> None:
        """Look at a key soon, or after some seconds; a key that waits already is looked at when it was going to be, if sooner."""
        if self.closed:
            return
        loop = asyncio.get_running_loop()
        present = self.waiting.get(key)
        if present is not None:
            due = present.when() if isinstance(present, asyncio.TimerHandle) else 0
            if due <= loop.time() + after:
                return
            present.cancel()
        self.waiting[key] = loop.call_later(after, self.run, key) if after else loop.call_soon(self.run, key)

    def run(self, key: Hashable) -> None:
        self.waiting.pop(key, None)
        if self.closed:
            return
        try:
            self.sync(key)
        except Exception as error:
            log.exception("%s %s", self.sync.__qualname__, key)
            self.failures.append(error)

    def close(self) -> None:
        self.closed = True
        for handle in self.waiting.values():
            handle.cancel()
        self.waiting.clear()
