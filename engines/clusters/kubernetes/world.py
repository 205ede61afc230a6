"""What a watcher knows of a cluster: pruned objects by kind, and which workloads each of them is about. No I/O."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from engines.clusters.kubernetes.informer import Change, Key, Snapshot
from engines.clusters.kubernetes.objects import Json, Pod, dig, listed, text
from engines.clusters.names import workload_of_pod

_GONE_KEPT = 5
CLAIM, EVENT, NODE, POD, STATEFUL_SET = "PersistentVolumeClaim", "Event", "Node", "Pod", "StatefulSet"


class World:
    """Objects as last heard of. A workload is named by its namespace and StatefulSet, also when that is gone."""

    def __init__(self) -> None:
        """Know nothing."""
        self._objects: dict[str, dict[Key, Json]] = {kind: {} for kind in (STATEFUL_SET, POD, CLAIM, EVENT, NODE)}
        self._pods: defaultdict[Key, set[Key]] = defaultdict(set)
        self._events: defaultdict[Key, set[Key]] = defaultdict(set)
        self._claims: defaultdict[Key, set[Key]] = defaultdict(set)
        self._nodes: defaultdict[str, set[Key]] = defaultdict(set)
        self._gone: defaultdict[Key, list[Json]] = defaultdict(list)

    # --- hearing ---

    def hear(self, heard: Snapshot | Change) -> set[Key]:
        """Take in what was heard; returns the workloads that may have changed."""
        touched: set[Key] = set()
        for change in self._changes(heard):
            touched |= self._take(change)
        return touched

    def _changes(self, heard: Snapshot | Change) -> Iterator[Change]:
        """Read a snapshot as changes: what is not in it is gone."""
        if isinstance(heard, Change):
            yield heard
            return
        known = self._objects[heard.kind]
        for key in known.keys() - heard.objects.keys():
            yield Change(heard.kind, key, known[key], is_gone=True)
        for key, found in heard.objects.items():
            if known.get(key) != found:
                yield Change(heard.kind, key, found)

    def _take(self, change: Change) -> set[Key]:
        known = self._objects[change.kind]
        before = known.get(change.key)
        touched = self._about(change.kind, before) | self._about(change.kind, change.object)
        if change.kind == POD and before is not None and (change.is_gone or Pod(before).uid != Pod(change.object).uid):
            self._bury(before, change)
        self._index(change.kind, change.key, before, known=False)
        if change.is_gone:
            known.pop(change.key, None)
        else:
            known[change.key] = change.object
            self._index(change.kind, change.key, change.object, known=True)
        return touched

    def _bury(self, before: Json, change: Change) -> None:
        """Keep a deleted Pod as it was last: with its deletion, where that was heard, else as it was known."""
        last = change.object if Pod(change.object).uid == Pod(before).uid else before
        for workload in self._about(POD, before):
            self._gone[workload] = [*self._gone[workload][1 - _GONE_KEPT :], last]

    def _index(self, kind: str, key: Key, found: Json | None, *, known: bool) -> None:
        if found is None or kind not in {POD, EVENT}:
            return
        update: Callable[[set[Key], Key], None] = set.add if known else set.discard
        if kind == EVENT:
            update(self._events[_subject(found)[1]], key)
            return
        for workload in self._about(POD, found):
            update(self._pods[workload], key)
            update(self._nodes[text(found, "spec", "nodeName")], workload)
            for claim in claims_of(found):
                update(self._claims[key[0], claim], workload)

    def _about(self, kind: str, found: Json | None) -> set[Key]:
        """Return the workloads that an object tells of."""
        if found is None:
            return set()
        key = text(found, "metadata", "namespace"), text(found, "metadata", "name")
        if kind == EVENT:
            kind, key = _subject(found)
        if kind == NODE:
            return set(self._nodes.get(key[1], ()))
        if kind == CLAIM:
            return set(self._claims.get(key, ()))
        return {(key[0], workload_of_pod(key[1]))}

    # --- telling ---

    @property
    def workloads(self) -> set[Key]:
        """All that there is anything of."""
        return set(self._objects[STATEFUL_SET]) | {workload for workload, pods in self._pods.items() if pods}

    def statefulset(self, workload: Key) -> Json | None:
        return self._objects[STATEFUL_SET].get(workload)

    def pods(self, workload: Key) -> list[Json]:
        return [self._objects[POD][key] for key in sorted(self._pods.get(workload, ()))]

    def gone(self, workload: Key) -> list[Json]:
        """Its Pods that were seen deleted, as they were last."""
        return list(self._gone.get(workload, ()))

    def claim(self, workload: Key) -> Json | None:
        """The claim that its Pod mounts first: its data."""
        for pod in self.pods(workload):
            for name in claims_of(pod):
                return self._objects[CLAIM].get((workload[0], name))
        return None

    def events(self, workload: Key) -> list[Json]:
        """What was said of it and of its claims."""
        about = {*self._events.get(workload, ())}
        for pod in self.pods(workload):
            for claim in claims_of(pod):
                about |= self._events.get((workload[0], claim), set())
        return [self._objects[EVENT][key] for key in about if key in self._objects[EVENT]]

    def node(self, workload: Key) -> Json | None:
        for pod in self.pods(workload):
            return self._objects[NODE].get(("", text(pod, "spec", "nodeName")))
        return None

    def forget_events(self, workload: Key) -> None:
        """Drop what nobody asks any more once an engine answers: events are most of what is heard."""
        for key in self._events.pop(workload, ()):
            self._objects[EVENT].pop(key, None)

    def forget(self, workload: Key) -> None:
        """Drop what is left of a workload that is gone."""
        self.forget_events(workload)
        self._gone.pop(workload, None)
        if not self._pods.get(workload):
            self._pods.pop(workload, None)


def _subject(event: Json) -> tuple[str, Key]:
    """Return what an event is about: its kind, and its key, a Pod's being its workload's."""
    kind, namespace = text(event, "involvedObject", "kind"), text(event, "involvedObject", "namespace")
    return kind, (namespace, workload_of_pod(text(event, "involvedObject", "name")))


def claims_of(pod: Mapping[str, Any]) -> Iterable[str]:
    """Return the names of the claims that a Pod may write to."""
    for volume in listed(pod, "spec", "volumes"):
        claim = dig(volume, "persistentVolumeClaim")
        if isinstance(claim, Mapping) and not claim.get("readOnly"):
            yield text(claim, "claimName")
