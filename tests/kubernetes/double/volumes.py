"""Binds claims to volumes that are directories of this machine, and protects those that are in use."""

import shutil
from pathlib import Path

from tests.kubernetes.double.api import CONTROLLER, Api
from tests.kubernetes.double.garbage import without_finalizer
from tests.kubernetes.double.recorder import Recorder
from tests.kubernetes.double.resources import CLAIMS, PODS, STORAGE_CLASSES, VOLUMES, Document, Resource
from tests.kubernetes.double.store import Change, Key, Stored
from tests.kubernetes.double.workqueue import Queue

COMPONENT = "persistentvolume-controller"
PROVISIONER = "double.local/directory"  # the only one that works here
SELECTED_NODE = "volume.kubernetes.io/selected-node"
PROTECTION = "kubernetes.io/pvc-protection"


def claims_of(pod: Document) -> list[str]:
    """Names of the claims that a Pod mounts."""
    claims = [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["spec"].get("volumes", [])
        if "persistentVolumeClaim" in volume
    ]
    return list(dict.fromkeys(claims))


class Volumes:
    """The provisioner, the binder and the protector of claims."""

    def __init__(self, api: Api, recorder: Recorder, failures: list[Exception], directory: Path, delay: float) -> None:
        self.api, self.recorder, self.directory, self.delay = api, recorder, directory, delay
        self.queue = Queue(self.sync, failures)

    def notice(self, resource: Resource, change: Change) -> None:
        metadata = change.document["metadata"]
        if resource is CLAIMS:
            if change.type == "DELETED":
                self.release(change.document)
            else:
                self.queue.add((metadata["namespace"], metadata["name"]))
        elif resource is PODS and (change.type == "DELETED" or change.document["status"]["phase"] in ("Failed", "Succeeded")):
            for name in claims_of(change.document):
                self.queue.add((metadata["namespace"], name))

    def path(self, claim: Document) -> Path:
        """Where the data of a claim is."""
        metadata = claim["metadata"]
        return self.directory / metadata["namespace"] / f"{metadata['name']}-{metadata['uid'][:8]}"

    def sync(self, key: Key) -> None:
        claim = self.api.store.get(CLAIMS, *key)
        if claim is None:
            return
        if "deletionTimestamp" in claim["metadata"]:
            if not self.in_use(claim):
                self.api.change(CLAIMS, *key, lambda old: without_finalizer(old, PROTECTION), CONTROLLER)
        elif claim["status"]["phase"] == "Pending":
            self.provision(claim)

    def in_use(self, claim: Stored) -> bool:
        namespace, name = claim["metadata"]["namespace"], claim["metadata"]["name"]
        for pod in self.api.store.all(PODS, namespace):
            if pod["spec"].get("nodeName") and pod["status"]["phase"] not in ("Failed", "Succeeded") and name in claims_of(pod):
                return True
        return False

    def provision(self, claim: Stored) -> None:
        name = claim["spec"].get("storageClassName") or ""
        found = self.api.store.get(STORAGE_CLASSES, "", name) if name else None
        if not name:
            told = "no persistent volumes available for this claim and no storage class is set"
            self.recorder.normal(claim, COMPONENT, "FailedBinding", told)
        elif found is None:
            self.recorder.warning(claim, COMPONENT, "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found')
        elif found["volumeBindingMode"] == "WaitForFirstConsumer" and SELECTED_NODE not in (
            claim["metadata"].get("annotations") or {}
        ):
            told = "waiting for first consumer to be created before binding"
            self.recorder.normal(claim, COMPONENT, "WaitForFirstConsumer", told)
        elif found["provisioner"] != PROVISIONER:
            told = (
                f"Waiting for a volume to be created either by the external provisioner '{found['provisioner']}' or manually by "
                "the system administrator. If volume creation is delayed, please verify that the provisioner is running and "
                "correctly registered."
            )
            self.recorder.normal(claim, COMPONENT, "ExternalProvisioning", told)
        else:
            self.bind(claim, found)

    def bind(self, claim: Stored, storage_class: Stored) -> None:
        metadata, spec = claim["metadata"], claim["spec"]
        title = f"pvc-{metadata['uid']}"
        capacity = {"storage": spec["resources"]["requests"]["storage"]}
        path = self.path(claim)
        path.mkdir(parents=True, exist_ok=True)
        reference = {
            "kind": "PersistentVolumeClaim",
            "apiVersion": "v1",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
        }
        shape = {
            "capacity": capacity, "accessModes": spec["accessModes"], "claimRef": reference | {"uid": metadata["uid"]},
            "persistentVolumeReclaimPolicy": storage_class["reclaimPolicy"],
            "storageClassName": storage_class["metadata"]["name"], "local": {"path": str(path)}, "volumeMode": "Filesystem",
        }  # fmt: skip
        if self.api.store.get(VOLUMES, "", title) is None:
            volume = {"kind": "PersistentVolume", "metadata": {"name": title}, "spec": shape, "status": {"phase": "Bound"}}
            self.api.create(VOLUMES, "", volume, CONTROLLER)
        status = {"phase": "Bound", "accessModes": spec["accessModes"], "capacity": capacity}

        def bound(old: Document) -> Document:
            annotations = (old["metadata"].get("annotations") or {}) | {"pv.kubernetes.io/bind-completed": "yes"}
            return {
                **old,
                "metadata": {**old["metadata"], "annotations": annotations},
                "spec": {**old["spec"], "volumeName": title},
            }

        key = (metadata["namespace"], metadata["name"])
        self.api.change(CLAIMS, *key, bound, CONTROLLER)
        self.api.change(CLAIMS, *key, lambda old: {**old, "status": status}, CONTROLLER, "status")
        self.recorder.normal(claim, PROVISIONER, "ProvisioningSucceeded", f"Successfully provisioned volume {title}")

    def release(self, claim: Document) -> None:
        title = claim["spec"].get("volumeName", "")
        volume = self.api.store.get(VOLUMES, "", title) if title else None
        if volume is not None and volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete":
            self.api.delete(VOLUMES, "", title, {})
            shutil.rmtree(volume["spec"]["local"]["path"], ignore_errors=True)
