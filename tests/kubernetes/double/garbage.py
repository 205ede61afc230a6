"""What goes when its owner goes: dependents, the contents of a namespace, finalizers, and Pods of machines that are gone."""

from collections import defaultdict

from tests.kubernetes.double.admission import used_of
from tests.kubernetes.double.api import CONTROLLER, Api
from tests.kubernetes.double.errors import ApiError
from tests.kubernetes.double.quantities import amount, written
from tests.kubernetes.double.resources import NAMESPACES, NODES, PODS, QUOTAS, SERVICE_ACCOUNTS, Document, Resource
from tests.kubernetes.double.store import Change, Stored
from tests.kubernetes.double.workqueue import Queue

Place = tuple[Resource, str, str]
WAITING = ("foregroundDeletion", "orphan")
GONE_FOR_GOOD = "node.kubernetes.io/out-of-service"


class Garbage:
    """Owner references: background, foreground and orphan."""

    def __init__(self, api: Api, failures: list[Exception]) -> None:
        self.api = api
        self.dependents: dict[str, set[Place]] = defaultdict(set)
        self.ended: Queue = Queue(self.collect, failures)
        self.ending: Queue = Queue(self.finish, failures)

    def notice(self, resource: Resource, change: Change) -> None:
        metadata = change.document["metadata"]
        place = (resource, metadata.get("namespace", ""), metadata["name"])
        gone = change.type == "DELETED"
        for owner in metadata.get("ownerReferences") or []:
            if gone:
                self.dependents[owner["uid"]].discard(place)
                self.look_at_owner(place[1], owner)
            else:
                self.dependents[owner["uid"]].add(place)
        if gone and metadata["uid"] in self.dependents:
            self.ended.add(metadata["uid"])
        elif "deletionTimestamp" in metadata and any(name in WAITING for name in metadata.get("finalizers", [])):
            self.ending.add(place)

    def look_at_owner(self, namespace: str, owner: Document) -> None:
        for resource, objects in self.api.store.objects.items():
            found = objects.get((namespace, owner["name"])) if resource.kind == owner["kind"] else None
            if found is not None and found["metadata"]["uid"] == owner["uid"] and "deletionTimestamp" in found["metadata"]:
                self.ending.add((resource, namespace, owner["name"]))

    def collect(self, uid: str) -> None:
        """Delete what an object that is gone owned, unless somebody else owns it too."""
        for resource, namespace, name in self.dependents.pop(uid, set()):
            found = self.api.store.get(resource, namespace, name)
            if found is not None and len(found["metadata"].get("ownerReferences") or []) == 1:
                self.api.delete(resource, namespace, name, {"propagationPolicy": "Background"})

    def finish(self, place: Place) -> None:
        """Do what an object's own finalizers wait for."""
        found = self.api.store.get(*place)
        if found is None:
            return
        finalizers, uid = found["metadata"].get("finalizers", []), found["metadata"]["uid"]
        present = [(each, got) for each in self.dependents[uid] if (got := self.api.store.get(*each)) is not None]
        if "orphan" in finalizers:
            for each, _ in present:
                self.api.change(*each, lambda old: disown(old, uid), CONTROLLER)
            self.api.change(*place, lambda old: without_finalizer(old, "orphan"), CONTROLLER)
        elif "foregroundDeletion" in finalizers:
            for each, got in present:
                if "deletionTimestamp" not in got["metadata"]:
                    self.api.delete(
                        *each, {"propagationPolicy": "Foreground" if self.dependents.get(got["metadata"]["uid"]) else None}
                    )
            if not any(blocks(got, uid) for each, got in present if self.api.store.get(*each)):
                self.api.change(*place, lambda old: without_finalizer(old, "foregroundDeletion"), CONTROLLER)


def blocks(document: Stored, uid: str) -> bool:
    return any(
        owner["uid"] == uid and owner.get("blockOwnerDeletion") for owner in document["metadata"].get("ownerReferences") or []
    )


def disown(document: Document, uid: str) -> Document:
    left = [owner for owner in document["metadata"]["ownerReferences"] if owner["uid"] != uid]
    document["metadata"]["ownerReferences"] = left
    return document


def without_finalizer(document: Document, name: str) -> Document:
    left = [each for each in document["metadata"].get("finalizers", []) if each != name]
    document["metadata"].pop("finalizers", None)
    document["metadata"] |= {"finalizers": left} if left else {}
    return document


class Namespaces:
    """Gives each namespace its service account, and empties one that is to go."""

    def __init__(self, api: Api, failures: list[Exception]) -> None:
        self.api = api
        self.queue = Queue(self.sync, failures)

    def notice(self, resource: Resource, change: Change) -> None:
        metadata = change.document["metadata"]
        if resource is NAMESPACES and change.type != "DELETED":
            if change.type == "ADDED":
                account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
                self.api.create(SERVICE_ACCOUNTS, metadata["name"], account, CONTROLLER)
            self.queue.add(metadata["name"])
        elif change.type == "DELETED" and metadata.get("namespace"):
            self.queue.add(metadata["namespace"])

    def sync(self, name: str) -> None:
        found = self.api.store.get(NAMESPACES, "", name)
        if found is None or "deletionTimestamp" not in found["metadata"]:
            return
        left = [
            (resource, each)
            for resource in list(self.api.store.objects)
            if resource.namespaced
            for each in self.api.store.all(resource, name)
        ]
        for resource, each in left:
            if "deletionTimestamp" not in each["metadata"]:
                self.api.delete(resource, name, each["metadata"]["name"], {"propagationPolicy": "Background"})
        if not left:
            self.api.change(NAMESPACES, "", name, lambda old: {**old, "spec": {"finalizers": []}}, CONTROLLER)


class Quotas:
    """Keeps the status of each ResourceQuota."""

    def __init__(self, api: Api, failures: list[Exception], delay: float) -> None:
        self.api, self.delay = api, delay
        self.queue = Queue(self.sync, failures)

    def notice(self, resource: Resource, change: Change) -> None:
        if resource.namespaced and (resource is QUOTAS or change.type != "MODIFIED" or resource is PODS):
            namespace = change.document["metadata"]["namespace"]
            for key in self.api.store.objects[QUOTAS]:
                if key[0] == namespace:
                    self.queue.add(key, after=self.delay)

    def sync(self, key: tuple[str, str]) -> None:
        found = self.api.store.get(QUOTAS, *key)
        if found is None:
            return
        hard = found["spec"].get("hard") or {}
        used = used_of(self.api.store, key[0], hard)
        status = {"hard": hard, "used": {name: written(name, amount(used[name])) for name in hard}}
        self.api.change(QUOTAS, *key, lambda old: {**old, "status": status}, CONTROLLER, "status")


class LostPods:
    """Removes Pods by force where the machine is known to be off: its node is deleted, or marked out of service."""

    def __init__(self, api: Api, failures: list[Exception]) -> None:
        self.api = api
        self.queue = Queue(self.sync, failures)

    def notice(self, resource: Resource, change: Change) -> None:
        if resource is NODES and (change.type == "DELETED" or out_of_service(change.document)):
            self.queue.add(change.document["metadata"]["name"])
        elif resource is PODS and "deletionTimestamp" in change.document["metadata"] and change.type == "MODIFIED":
            self.queue.add(change.document["spec"].get("nodeName", ""))

    def sync(self, node: str) -> None:
        found = self.api.store.get(NODES, "", node)
        if not node or (found is not None and not out_of_service(found)):
            return
        for pod in self.api.store.all(PODS):
            if pod["spec"].get("nodeName") == node and (found is None or "deletionTimestamp" in pod["metadata"]):
                try:
                    self.api.delete(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"], {"gracePeriodSeconds": 0})
                except ApiError:
                    continue


def out_of_service(node: Document) -> bool:
    return any(taint["key"] == GONE_FOR_GOOD for taint in node["spec"].get("taints") or [])
