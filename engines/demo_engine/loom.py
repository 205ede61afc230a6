"""The engine itself: what the routes share."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from engines.demo_engine.jobs import JobQueue
from engines.demo_engine.library import Library
from engines.demo_engine.live import Live
from engines.demo_engine.options import Options
from engines.demo_engine.parameters import FIELDS, MODELS, SAMPLERS


class Loom:
    """One engine on one data directory."""

    def __init__(self, version: int, data_dir: Path):
        self.version = version
        self.data_dir = data_dir
        self.live = Live()
        self.queue = JobQueue(self.open_library, self.live.announce)
        self.options = Options(data_dir)
        self.stopping = asyncio.Event()
        self._opening = Lock()
        self._library: Library | None = None

    def open_library(self) -> Library:
        """The pictures; opened when first needed, so that starting waits for no index. Blocks: call it on a thread."""
        with self._opening:
            if self._library is None:
                self._library = _library_class(self.version)(self.data_dir)
            return self._library

    def stop(self) -> None:
        """Begin to end: the queue, every open page, every stream."""
        self.stopping.set()
        self.queue.stop()
        self.live.close()

    def present_state(self) -> dict[str, Any]:
        """What a page needs when it connects."""
        current = self.queue.current
        return {
            "type": "state",
            "version": self.version,
            "jobs": self.queue.active_as_json(),
            "preview": current.preview if current else None,
        }

    def about(self) -> dict[str, Any]:
        """What this engine can do, for its page."""
        limits = {name: vars(check) for name, check in FIELDS.items() if hasattr(check, "at_least")}
        return {
            "name": "Loom",
            "version": self.version,
            "features": {"search": self.version == 2, "favourites": self.version == 2, "tags": self.version == 2},
            "models": list(MODELS),
            "samplers": list(SAMPLERS),
            "limits": limits,
        }


def _library_class(version: int) -> Callable[[Path], Library]:
    if version == 1:
        from engines.demo_engine.library_v1 import DayFolders  # noqa: PLC0415  # each version loads its own

        return DayFolders
    from engines.demo_engine.library_v2 import IndexedLibrary  # noqa: PLC0415  # each version loads its own

    return IndexedLibrary
