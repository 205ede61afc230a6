"""Machines: as data, and what befalls them."""

import asyncio
from collections.abc import Mapping
from typing import Any

from tests.kubernetes.double.api import CONTROLLER, Api
from tests.kubernetes.double.clock import later, now
from tests.kubernetes.double.errors import ApiError
from tests.kubernetes.double.kubelet import Kubelet
from tests.kubernetes.double.pod_status import settled
from tests.kubernetes.double.resources import BUDGETS, NODES, PODS, Document
from tests.kubernetes.double.scheduler import tolerates, with_condition
from tests.kubernetes.double.selectors import labels_of, matches
from tests.kubernetes.double.store import Stored

UNREACHABLE = [{"key": "node.kubernetes.io/unreachable", "effect": effect} for effect in ("NoSchedule", "NoExecute")]
UNTAINT_SECONDS = 0.2
CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def node(name: str, allocatable: Mapping[str, Any], labels: Mapping[str, str] | None = None, number: int = 2) -> Document:
    """Make a node that is ready."""
    shape = {
        "cpu": "64",
        "memory": "256Gi",
        "ephemeral-storage": "1000Gi",
        "pods": "110",
        **{key: str(value) for key, value in allocatable.items()},
    }
    condition = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    info = {
        "kubeletVersion": "v1.36.2",
        "containerRuntimeVersion": "containerd://2.1.1",
        "operatingSystem": "linux",
        "architecture": "amd64",
    }
    addresses = [{"type": "InternalIP", "address": f"192.0.2.{number}"}, {"type": "Hostname", "address": name}]
    status = {"capacity": shape, "allocatable": shape, "conditions": [condition | {"lastTransitionTime": now()}]}
    metadata = {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **(labels or {})}}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata,
        "spec": {},
        "status": status | {"addresses": addresses, "nodeInfo": info},
    }


class Nodes:
    """Down and up, cordoned and drained."""

    def __init__(self, api: Api, kubelet: Kubelet, speed: float) -> None:
        self.api, self.kubelet, self.speed = api, kubelet, speed
        self.timers: list[asyncio.TimerHandle] = []

    def edit_spec(self, name: str, **changes: Any) -> None:
        def edited(old: Document) -> Document:
            spec = {key: value for key, value in {**old["spec"], **changes}.items() if value not in (None, [], False)}
            return {**old, "spec": spec}

        self.api.change(NODES, "", name, edited, CONTROLLER)

    def taints(self, name: str) -> list[Document]:
        return list(self.api.get(NODES, "", name)["spec"].get("taints") or [])

    def condition(self, name: str, status: str, reason: str, message: str) -> None:
        ready = {"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": now()}
        self.api.change(
            NODES, "", name, lambda old: {**old, "status": with_condition(old["status"], ready)}, CONTROLLER, "status"
        )

    def down(self, name: str, *, kill: bool) -> None:
        """Stop hearing from a node: it is marked, its Pods are not ready any more, and are deleted after their toleration."""
        self.kubelet.silence(name, kill=kill)
        self.condition(name, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
        self.edit_spec(name, taints=self.taints(name) + UNREACHABLE)
        for pod in self.on(name):
            before = next((each for each in pod["status"].get("conditions", []) if each["type"] == "Ready"), None)
            not_ready = {"type": "Ready", "status": "False"}
            if before and before["status"] == "True":
                # A real cluster notices after 40 seconds: never in the second in which a container began.
                not_ready["lastTransitionTime"] = later(1)
            self.write_condition(pod, settled(not_ready, before, pod["metadata"]["generation"]))
            wait = next(
                (each.get("tolerationSeconds") for each in pod["spec"]["tolerations"] if tolerates(each, UNREACHABLE[1])), 0
            )
            if wait is not None:
                loop = asyncio.get_running_loop()
                self.timers.append(loop.call_later(wait / self.speed, self.give_up, name, pod))

    def give_up(self, name: str, pod: Stored) -> None:
        """Taint-based eviction: the Pod is deleted, and stays until its kubelet says that it has ended."""
        if not any(taint["key"] == UNREACHABLE[0]["key"] for taint in self.taints(name)):
            return
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        present = self.api.store.get(PODS, *key)
        if present is None or present["metadata"]["uid"] != pod["metadata"]["uid"]:
            return
        self.disrupt(present, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")
        self.api.delete(PODS, *key, {})

    def up(self, name: str) -> None:
        self.condition(name, "True", "KubeletReady", "kubelet is posting ready status")
        self.untaint(name, UNREACHABLE[0]["key"])
        self.kubelet.wake(name)

    def cordon(self, name: str) -> None:
        self.edit_spec(name, unschedulable=True, taints=[*self.taints(name), CORDONED])

    def uncordon(self, name: str) -> None:
        """Let Pods come again; the taint goes a moment later, as another controller takes it away."""
        self.edit_spec(name, unschedulable=None)
        loop = asyncio.get_running_loop()
        self.timers.append(loop.call_later(UNTAINT_SECONDS / self.speed, self.untaint, name, CORDONED["key"]))

    def untaint(self, name: str, key: str) -> None:
        self.edit_spec(name, taints=[taint for taint in self.taints(name) if taint["key"] != key])

    def drain(self, name: str, *, heed_budgets: bool) -> list[str]:
        """Cordon a node and evict its Pods; gives the names of those that a disruption budget kept."""
        self.cordon(name)
        kept = []
        for pod in self.on(name):
            try:
                self.evict(pod, {}, heed_budgets=heed_budgets)
            except ApiError:
                kept.append(pod["metadata"]["name"])
        return kept

    def evict(self, pod: Document, options: Document, *, heed_budgets: bool = True) -> None:
        """The Eviction API: 429 if a disruption budget forbids it."""
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        budgets = [
            each for each in self.api.store.all(BUDGETS, namespace) if matches(each["spec"].get("selector"), labels_of(pod))
        ]
        if heed_budgets and any(each["spec"].get("maxUnavailable") in (0, "0", "0%") for each in budgets):
            budget = budgets[0]["metadata"]["name"]
            told = f"The disruption budget {budget} needs 1 healthy pods and has 1 currently"
            cause = {"reason": "DisruptionBudget", "message": told}
            raise ApiError(
                429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", causes=[cause]
            )
        self.disrupt(pod, "EvictionByEvictionAPI", "Eviction API: evicting")
        self.api.delete(PODS, namespace, name, options)

    def disrupt(self, pod: Document, reason: str, message: str) -> None:
        condition = {"type": "DisruptionTarget", "status": "True", "lastProbeTime": None, "lastTransitionTime": now()}
        self.write_condition(pod, condition | {"reason": reason, "message": message})

    def write_condition(self, pod: Document, condition: Document) -> None:
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        self.api.change(PODS, *key, lambda old: {**old, "status": with_condition(old["status"], condition)}, CONTROLLER, "status")

    def on(self, name: str) -> list[Stored]:
        pods = self.api.store.all(PODS)
        return [
            pod for pod in pods if pod["spec"].get("nodeName") == name and pod["status"]["phase"] not in ("Failed", "Succeeded")
        ]

    def close(self) -> None:
        for timer in self.timers:
            timer.cancel()
