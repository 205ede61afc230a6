"""Thousands of running instances at once, for benchmarks: written straight into the store, as big as real ones."""

import asyncio
import itertools
import uuid
from typing import Any

from tests.kubernetes.double.clock import now
from tests.kubernetes.double.controllers import pod_for, revision_of
from tests.kubernetes.double.defaults import complete
from tests.kubernetes.double.patches import clone
from tests.kubernetes.double.pod_status import View, compose
from tests.kubernetes.double.resources import CLAIMS, NAMESPACES, PODS, SERVICES, STATEFUL_SETS, Document
from tests.kubernetes.double.store import Store

SIMULATED = {"double.local/simulated": "true"}
NODES = 500


def labels(number: int, tenant: str) -> dict[str, str]:
    name = f"i-bench-{number:05}"
    return {
        "aigc-portal.io/instance": str(uuid.UUID(int=number)), "aigc-portal.io/workload": name, "aigc-portal.io/tenant": tenant,
        "aigc-portal.io/engine": "comfyui", "aigc-portal.io/role": "engine", "app.kubernetes.io/managed-by": "aigc-portal",
    }  # fmt: skip


def template(number: int) -> Document:
    """A Pod's spec of the size that real ones have."""
    name = f"i-bench-{number:05}"
    variables = [{"name": f"ENGINE_SETTING_{index:02}", "value": f"value-{index:02}-" + "x" * 24} for index in range(24)]
    resources = {"cpu": "4", "memory": "16Gi", "ephemeral-storage": "10Gi", "nvidia.com/gpu": "1"}
    probe = {
        "httpGet": {"path": "/system_stats", "port": "http"},
        "periodSeconds": 5,
        "timeoutSeconds": 4,
        "failureThreshold": 240,
    }
    locked: Document = {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }
    container = {
        "name": "engine", "image": "double/sleep", "args": ["--listen", "0.0.0.0", "--port", "8188"], "env": variables,
        "ports": [{"name": "http", "containerPort": 8188}], "resources": {"requests": resources, "limits": resources},
        "startupProbe": probe, "readinessProbe": clone(probe), "securityContext": locked,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "data", "mountPath": f"/data/{part}", "subPath": part} for part in ("models", "outputs",
        "input", "user")],
    }  # fmt: skip
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": name.replace("i-", "v-", 1)}}
    return {"containers": [container], "volumes": [claim], "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-L40S"}}


def populate(store: Store, pods: int, namespaces: int) -> None:
    """Write instances; nothing but a churn and an administrator changes them."""
    for number in range(min(pods, namespaces)):
        metadata = {"name": f"aigc-t-bench-{number:03}", "uid": str(uuid.uuid4()), "creationTimestamp": now()}
        if store.get(NAMESPACES, "", metadata["name"]) is None:
            metadata["labels"] = {"kubernetes.io/metadata.name": metadata["name"], "app.kubernetes.io/managed-by": "aigc-portal"}
            store.put(
                NAMESPACES,
                {"kind": "Namespace", "apiVersion": "v1", "metadata": metadata, "spec": {}, "status": {"phase": "Active"}},
            )
    listeners, store.listeners = store.listeners, []
    try:
        for number in range(pods):
            instance(store, number, f"bench-{number % namespaces:03}")
    finally:
        store.listeners = listeners


def instance(store: Store, number: int, tenant: str) -> None:
    name, marks, namespace = f"i-bench-{number:05}", labels(number, tenant), f"aigc-t-{tenant}"
    chosen = {"aigc-portal.io/workload": name}
    body = {"metadata": {"labels": marks, "annotations": SIMULATED}, "spec": template(number)}
    spec: Document = {
        "replicas": 1,
        "serviceName": name,
        "selector": {"matchLabels": chosen},
        "template": body,
        "updateStrategy": {"type": "OnDelete"},
    }
    notes = {"aigc-portal.io/epoch": "1", "aigc-portal.io/spec-hash": "bench"}
    owner = whole("StatefulSet", "apps/v1", {"name": name, "annotations": notes}, namespace, marks, spec=spec)
    revision = revision_of(owner)
    counts = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "currentReplicas": 1, "updatedReplicas": 1}
    owner["status"] = {
        **counts,
        "observedGeneration": 1,
        "currentRevision": revision,
        "updateRevision": revision,
        "collisionCount": 0,
    }
    store.put(STATEFUL_SETS, owner)
    claim_spec = {
        "accessModes": ["ReadWriteOncePod"],
        "resources": {"requests": {"storage": "100Gi"}},
        "volumeName": f"pvc-{number}",
    }
    claim_name = name.replace("i-", "v-", 1)
    claim = whole(
        "PersistentVolumeClaim",
        "v1",
        {"name": claim_name},
        namespace,
        {**marks, "aigc-portal.io/volume": claim_name},
        spec=claim_spec,
    )
    claim["status"] = {"phase": "Bound", "accessModes": ["ReadWriteOncePod"], "capacity": {"storage": "100Gi"}}
    store.put(CLAIMS, claim)
    service = {"selector": chosen, "clusterIP": "None", "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    store.put(SERVICES, whole("Service", "v1", {"name": name}, namespace, marks, spec=service))
    store.put(PODS, running(owner, number, revision))


def whole(kind: str, version: str, metadata: Document, namespace: str, marks: dict[str, str], **rest: Any) -> Document:
    head = {
        **metadata,
        "namespace": namespace,
        "uid": str(uuid.uuid4()),
        "creationTimestamp": now(),
        "labels": marks,
        "generation": 1,
    }
    document = {"kind": kind, "apiVersion": version, "metadata": head, **rest}
    complete(document)
    return document


def running(owner: Document, number: int, revision: str) -> Document:
    """The Pod of a set, ready, with managedFields as large as a real one's."""
    pod = pod_for(owner, revision)
    pod["metadata"] |= {
        "namespace": owner["metadata"]["namespace"],
        "uid": str(uuid.uuid4()),
        "creationTimestamp": now(),
        "generation": 1,
    }
    complete(pod)
    pod["spec"]["nodeName"] = f"node-{number % NODES:03}"
    view = View(
        "192.0.2.2", f"10.244.{number // 250 % 250}.{number % 250 + 1}", "Running", sandbox=True, started=True, ready=True
    )
    view.state, view.container_id = {"running": {"startedAt": now()}}, f"containerd://{number:064x}"
    pod["status"] = compose(pod, view)
    fields = {
        f"k:{json_key}": {".": {}, "f:lastTransitionTime": {}, "f:observedGeneration": {}, "f:status": {}}
        for json_key in "abcdefghij"
    }
    entry = {"operation": "Update", "apiVersion": "v1", "time": now(), "fieldsType": "FieldsV1"}
    owned = {
        "f:spec": {f"f:field-{index:02}": {} for index in range(40)},
        "f:metadata": {"f:labels": {f"f:{key}": {} for key in labels(number, "")}},
    }
    entries = [{**entry, "manager": "kube-controller-manager", "fieldsV1": owned}]
    pod["metadata"]["managedFields"] = [
        *entries,
        {**entry, "manager": "kubelet", "fieldsV1": {"f:status": fields}, "subresource": "status"},
    ]
    return pod


class Churn:
    """Changes the readiness of one simulated Pod after another, so many in a second."""

    def __init__(self, store: Store, per_second: float) -> None:
        self.store, self.per_second, self.count = store, per_second, 0
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.task = asyncio.ensure_future(self.run())

    def stop(self) -> None:
        if self.task:
            self.task.cancel()

    async def run(self) -> None:
        """Keep to the rate on the whole, whatever a single step takes."""
        loop = asyncio.get_running_loop()
        keys = [
            key
            for key in self.store.keys(PODS)
            if (self.store.objects[PODS][key]["metadata"].get("annotations") or {}).keys() & SIMULATED.keys()
        ]
        begun = loop.time()
        for key in itertools.cycle(keys):
            if (pod := self.store.get(PODS, *key)) is not None:
                self.store.put(PODS, flipped(pod))
                self.count += 1
            await asyncio.sleep(max(0, begun + self.count / self.per_second - loop.time()))


def flipped(pod: Document) -> Document:
    status, ready = pod["status"], not pod["status"]["containerStatuses"][0]["ready"]
    turned = {"status": "True" if ready else "False", "lastTransitionTime": now()}
    conditions = [{**each, **turned} if each["type"] in ("Ready", "ContainersReady") else each for each in status["conditions"]]
    containers = [{**status["containerStatuses"][0], "ready": ready}]
    return {**pod, "status": {**status, "conditions": conditions, "containerStatuses": containers}}
