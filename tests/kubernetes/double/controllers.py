"""The StatefulSet controller for sets of zero or one Pod, with the status and events that a real one writes."""

import hashlib
import json

from tests.kubernetes.double.api import CONTROLLER, Api
from tests.kubernetes.double.errors import ApiError
from tests.kubernetes.double.patches import clone
from tests.kubernetes.double.recorder import Recorder
from tests.kubernetes.double.resources import PODS, STATEFUL_SETS, Document, Resource
from tests.kubernetes.double.store import Change, Key, Stored
from tests.kubernetes.double.workqueue import Queue

COMPONENT = "statefulset-controller"
REVISION = "controller-revision-hash"
FIRST_RETRY_SECONDS = 0.005
LONGEST_RETRY_SECONDS = 1000.0
LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def revision_of(document: Document) -> str:
    """Name a template by what is in it."""
    digest = hashlib.sha256(json.dumps(document["spec"]["template"], sort_keys=True).encode()).digest()
    return document["metadata"]["name"] + "-" + "".join(LETTERS[byte % len(LETTERS)] for byte in digest[:10])


def is_ready(pod: Document) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


class StatefulSets:
    """Makes, replaces and removes Pod 0 of each set."""

    def __init__(self, api: Api, recorder: Recorder, failures: list[Exception], speed: float) -> None:
        self.api, self.recorder, self.speed = api, recorder, speed
        self.queue = Queue(self.sync, failures)
        self.refusals: dict[str, int] = {}
        self.paused = False  # a controller manager that does not run

    def notice(self, resource: Resource, change: Change) -> None:
        metadata = change.document["metadata"]
        if resource is STATEFUL_SETS:
            self.queue.add((metadata["namespace"], metadata["name"]))
        elif resource is PODS:
            for owner in metadata.get("ownerReferences") or []:
                if owner["kind"] == "StatefulSet":
                    self.queue.add((metadata["namespace"], owner["name"]))

    def sync(self, key: Key) -> None:
        found = self.api.store.get(STATEFUL_SETS, *key)
        if found is None or self.paused:
            return
        pod = self.api.store.get(PODS, key[0], f"{key[1]}-0")
        if pod is not None and not owned_by(pod, found):
            pod = None
        revision = revision_of(found)
        self.write_status(found, pod, revision)
        if "deletionTimestamp" in found["metadata"]:
            return
        if found["spec"]["replicas"] == 0:
            if pod is not None and "deletionTimestamp" not in pod["metadata"]:
                self.delete_pod(found, pod)
        elif pod is None:
            self.create_pod(found, revision)
        elif self.must_be_replaced(found, pod, revision):
            self.delete_pod(found, pod)

    def must_be_replaced(self, found: Stored, pod: Stored, revision: str) -> bool:
        if pod["status"]["phase"] in ("Failed", "Succeeded"):
            return True
        rolling = found["spec"]["updateStrategy"]["type"] == "RollingUpdate"
        return rolling and "deletionTimestamp" not in pod["metadata"] and pod["metadata"]["labels"][REVISION] != revision

    def delete_pod(self, found: Stored, pod: Stored) -> None:
        name = pod["metadata"]["name"]
        options = {"preconditions": {"uid": pod["metadata"]["uid"]}}
        self.api.delete(PODS, pod["metadata"]["namespace"], name, options)
        told = f"Delete Pod {name} in StatefulSet {found['metadata']['name']} successful"
        self.recorder.normal(found, COMPONENT, "SuccessfulDelete", told)

    def create_pod(self, found: Stored, revision: str) -> None:
        pod = pod_for(found, revision)
        name, title, uid = pod["metadata"]["name"], found["metadata"]["name"], found["metadata"]["uid"]
        try:
            self.api.create(PODS, found["metadata"]["namespace"], pod, CONTROLLER)
        except ApiError as error:
            told = f"Create Pod {name} in StatefulSet {title} failed error: {error.message}"
            self.recorder.warning(found, COMPONENT, "FailedCreate", told)
            tries = self.refusals[uid] = self.refusals.get(uid, 0) + 1
            wait = min(FIRST_RETRY_SECONDS * 2**tries, LONGEST_RETRY_SECONDS / self.speed)
            self.queue.add((found["metadata"]["namespace"], title), after=wait)
            return
        self.refusals.pop(uid, None)
        self.recorder.normal(found, COMPONENT, "SuccessfulCreate", f"Create Pod {name} in StatefulSet {title} successful")

    def write_status(self, found: Stored, pod: Stored | None, revision: str) -> None:
        ready = int(pod is not None and is_ready(pod))
        living = int(pod is not None and "deletionTimestamp" not in pod["metadata"])
        current = found["status"].get("currentRevision", revision)
        mine = pod["metadata"]["labels"].get(REVISION) if pod is not None else ""
        current = mine if living and ready and mine == revision else current
        counts = {
            "readyReplicas": ready,
            "currentReplicas": living * (mine == current),
            "updatedReplicas": living * (mine == revision),
        }
        status = {"observedGeneration": found["metadata"]["generation"], "replicas": int(pod is not None)}
        status |= {name: count for name, count in counts.items() if count}
        status |= {"currentRevision": current, "updateRevision": revision, "collisionCount": 0, "availableReplicas": ready}
        if status != found["status"]:
            key = (found["metadata"]["namespace"], found["metadata"]["name"])
            self.api.change(STATEFUL_SETS, *key, lambda old: {**old, "status": status}, CONTROLLER, "status")


def owned_by(pod: Document, owner: Document) -> bool:
    return any(each["uid"] == owner["metadata"]["uid"] for each in pod["metadata"].get("ownerReferences") or [])


def pod_for(found: Stored, revision: str) -> Document:
    """Make Pod 0 from a set's template."""
    title, template = found["metadata"]["name"], clone(found["spec"]["template"])
    name = f"{title}-0"
    labels = (template["metadata"].get("labels") or {}) | {
        "apps.kubernetes.io/pod-index": "0", REVISION: revision, "statefulset.kubernetes.io/pod-name": name,
    }  # fmt: skip
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": title, "uid": found["metadata"]["uid"]}
    owner |= {"controller": True, "blockOwnerDeletion": True}
    metadata = {"name": name, "generateName": f"{title}-", "labels": labels, "ownerReferences": [owner]}
    if annotations := template["metadata"].get("annotations"):
        metadata["annotations"] = annotations
    spec = {**template["spec"], "hostname": name, "subdomain": found["spec"]["serviceName"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
