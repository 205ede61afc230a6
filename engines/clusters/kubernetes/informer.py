"""List, then watch, one kind of object for ever: three nested generators, each with one reason to begin again.

`changes` goes on after failures, with back-off; `_since_list` ends when what was watched has expired (410) or a fresh list is
due; `_connection` ends with its connection. A watch is trusted to be quiet only for half a minute: then it is opened anew where
it was.
Protocol: Kubernetes API concepts, "Efficient detection of changes", with bookmarks.
"""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engines.clusters.base import ClusterUnavailable
from engines.clusters.kubernetes.objects import Json
from engines.clusters.kubernetes.rest import ApiError, Rest

log = logging.getLogger(__name__)
Key = tuple[str, str]  # namespace and name


@dataclass(frozen=True)
class Kind:
    """One kind of object to follow: where its list is, which of it, and what is kept of each; None for what does not matter."""

    name: str
    path: str
    prune: Callable[[Json], Json | None]
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """All there is of a kind now; what is not in it is gone."""

    kind: str
    objects: Mapping[Key, Json]


@dataclass(frozen=True)
class Change:
    """One object as it is now, or as it was last if it `is_gone`."""

    kind: str
    key: Key
    object: Json
    is_gone: bool = False


@dataclass(frozen=True)
class Pace:
    """How patient a feed is, in seconds."""

    silence: float = 30.0
    relist: float = 600.0
    connection: int = 300
    retry: tuple[float, float] = (0.5, 15.0)


class Expired(Exception):
    """What was watched from is too old: only a list helps."""


class Feed:
    """One kind, followed in a thread of its own into a queue that many feeds share."""

    def __init__(self, rest: Rest, kind: Kind, sink: "queue.Queue[Snapshot | Change]", pace: Pace = Pace()) -> None:
        """Follow nothing before `start`."""
        self.kind = kind
        self.heard_at = float("-inf")  # time.monotonic() of the last answer
        self._rest, self._sink, self._pace = rest, sink, pace
        self._failures = 0  # in a row
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch-{kind.name}", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Cease to put anything; the thread ends with its connection."""
        self._stop.set()

    def _run(self) -> None:
        for change in self.changes():
            while not self._stop.is_set():
                try:
                    self._sink.put(change, timeout=1.0)
                    break
                except queue.Full:  # whoever reads is slower than the cluster, or has gone
                    continue

    def changes(self) -> Iterator[Snapshot | Change]:
        """Yield a snapshot, then each change, for ever; back off with jitter while the cluster does not answer."""
        while not self._stop.is_set():
            try:
                yield from self._since_list()
            except (ClusterUnavailable, ApiError, ValueError, KeyError) as error:
                self._back_off(error)

    def _back_off(self, error: Exception) -> None:
        """Wait, twice as long each time until something is heard again."""
        shortest, longest = self._pace.retry
        pause = min(shortest * 2**self._failures, longest)
        self._failures += 1
        log.warning("%s cannot be followed, trying again in %.1f s at most: %s", self.kind.name, pause, error)
        self._stop.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret

    def _since_list(self) -> Iterator[Snapshot | Change]:
        snapshot, version = self._list()
        yield snapshot
        fresh_list_at = time.monotonic() + self._pace.relist * random.uniform(0.8, 1.2)  # noqa: S311 - not all kinds at once
        while time.monotonic() < fresh_list_at and not self._stop.is_set():
            try:
                for reached, change in self._connection(version):
                    version = reached
                    if change is not None:
                        yield change
            except Expired:
                return
            except ClusterUnavailable as error:  # a connection that broke is opened anew where it was
                self._back_off(error)

    def _list(self) -> tuple[Snapshot, str]:
        objects: dict[Key, Json] = {}
        version = ""
        for page in self._rest.pages(self.kind.path, **self.kind.query):
            self._heard()
            version = page.resource_version
            for raw in page.items:
                kept = self.kind.prune(raw)
                if kept is not None:
                    objects[key_of(raw)] = kept
        return Snapshot(self.kind.name, objects), version

    def _connection(self, version: str) -> Iterator[tuple[str, Change | None]]:
        """Yield the version that was reached with each change; None with a bookmark."""
        events = self._rest.watch(
            self.kind.path,
            silence_seconds=self._pace.silence,
            resourceVersion=version,
            allowWatchBookmarks="true",
            timeoutSeconds=self._pace.connection,
            **self.kind.query,
        )
        began = time.monotonic()
        try:
            for event in events:
                self._heard()
                yield self._read(event)
        except ApiError as error:
            if error.status == 410:
                raise Expired from error
            raise
        if time.monotonic() - began < 1.0:  # a server that hangs up at once is not asked in a circle
            self._stop.wait(random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        self.heard_at = max(self.heard_at, began)

    def _read(self, event: Json) -> tuple[str, Change | None]:
        raw = event["object"]
        if event["type"] == "ERROR":
            if raw.get("code") == 410 or raw.get("reason") == "Expired":
                raise Expired
            raise ClusterUnavailable(f"the watch ended: {raw.get('message', raw)}")
        version = str(raw["metadata"]["resourceVersion"])
        if event["type"] == "BOOKMARK":
            return version, None
        kept = self.kind.prune(raw)
        if kept is None:
            return version, None
        return version, Change(self.kind.name, key_of(raw), kept, is_gone=event["type"] == "DELETED")

    def _heard(self) -> None:
        self.heard_at = time.monotonic()
        self._failures = 0


def key_of(raw: Mapping[str, Any]) -> Key:
    """Return the namespace and name of an object."""
    about = raw["metadata"]
    return about.get("namespace", ""), about["name"]
