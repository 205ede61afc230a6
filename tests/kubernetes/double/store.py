"""The objects, their resource versions and what watches are told of: what etcd is to a real server.

A stored object is never changed: each write puts a new one, so that readers, watches and cached bytes may share it.
"""

import json
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from tests.kubernetes.double.errors import expired
from tests.kubernetes.double.resources import Document, Resource

Key = tuple[str, str]  # namespace, name
KEPT_CHANGES = 5_000


class Stored(dict[str, Any]):
    """An object with its bytes, made when somebody first asks for them."""

    __slots__ = ("_raw",)

    @property
    def raw(self) -> bytes:
        try:
            return self._raw
        except AttributeError:
            self._raw: bytes = json.dumps(self, separators=(",", ":")).encode()
            return self._raw


class Change:
    """One write, as a watch tells it: ADDED, MODIFIED or DELETED at a version."""

    __slots__ = ("_lines", "document", "previous", "type", "version")

    def __init__(self, version: int, kind: str, document: Stored, previous: Stored | None) -> None:
        self.version, self.type, self.document, self.previous = version, kind, document, previous
        self._lines: dict[str, bytes] = {}

    def line(self, kind: str) -> bytes:
        """Give its line in a stream; DELETED too for an object that no longer matches a selector."""
        if kind not in self._lines:
            self._lines[kind] = b'{"type":"%s","object":%s}\n' % (kind.encode(), self.document.raw)
        return self._lines[kind]


class Store:
    """Objects of every kind under one growing version."""

    def __init__(self) -> None:
        self.version = 1000
        self.compacted = 1000
        self.objects: dict[Resource, dict[Key, Stored]] = defaultdict(dict)
        self.changes: dict[Resource, deque[Change]] = defaultdict(lambda: deque(maxlen=KEPT_CHANGES))
        self.watchers: dict[Resource, set[Callable[[Change], None]]] = defaultdict(set)
        self.listeners: list[Callable[[Resource, Change], None]] = []
        self._order: dict[Resource, list[Key]] = {}

    def get(self, resource: Resource, namespace: str, name: str) -> Stored | None:
        return self.objects[resource].get((namespace, name))

    def all(self, resource: Resource, namespace: str = "") -> list[Stored]:
        """Every object of a kind, in a namespace or in all, in the order of their keys."""
        objects = self.objects[resource]
        return [objects[key] for key in self.keys(resource) if not namespace or key[0] == namespace]

    def keys(self, resource: Resource) -> list[Key]:
        if resource not in self._order:
            self._order[resource] = sorted(self.objects[resource])
        return self._order[resource]

    def put(self, resource: Resource, document: Document) -> Stored:
        """Write a new object or a new state of one; the version in its metadata is set here."""
        metadata = document["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        previous = self.objects[resource].get(key)
        stored = self._versioned(document)
        self.objects[resource][key] = stored
        if previous is None:
            self._order.pop(resource, None)
        self._tell(resource, Change(self.version, "MODIFIED" if previous else "ADDED", stored, previous))
        return stored

    def remove(self, resource: Resource, document: Document) -> Stored:
        """Take an object out; watches get it as it was last, with the version of its removal."""
        metadata = document["metadata"]
        previous = self.objects[resource].pop((metadata.get("namespace", ""), metadata["name"]))
        self._order.pop(resource, None)
        stored = self._versioned(document)
        self._tell(resource, Change(self.version, "DELETED", stored, previous))
        return stored

    def since(self, resource: Resource, version: int) -> list[Change]:
        """What changed after a version; 410 if that is no longer known."""
        kept = self.changes[resource]
        oldest = self.compacted if len(kept) < KEPT_CHANGES else max(self.compacted, kept[0].version)
        if version < oldest:
            raise expired(version, oldest)
        return [change for change in kept if change.version > version]

    def compact(self) -> None:
        """Forget every change so far, as etcd does every few minutes."""
        self.version += 1
        self.compacted = self.version
        for kept in self.changes.values():
            kept.clear()

    def _versioned(self, document: Document) -> Stored:
        self.version += 1
        return Stored(document, metadata={**document["metadata"], "resourceVersion": str(self.version)})

    def _tell(self, resource: Resource, change: Change) -> None:
        self.changes[resource].append(change)
        for watcher in list(self.watchers[resource]):
            watcher(change)
        for listener in self.listeners:
            listener(resource, change)
