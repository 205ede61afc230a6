"""Every node's kubelet in one: gives each Pod that was put on a node a worker, and tells it what happens to the Pod."""

import asyncio
import itertools
from pathlib import Path

from tests.kubernetes.double.api import Api, Writer
from tests.kubernetes.double.containers import Process
from tests.kubernetes.double.logs import pod_log
from tests.kubernetes.double.pod_worker import PodWorker
from tests.kubernetes.double.recorder import Recorder
from tests.kubernetes.double.resources import CLAIMS, NODES, PODS, Document, Resource
from tests.kubernetes.double.store import Change, Key
from tests.kubernetes.double.volumes import Volumes

KUBELET = Writer("kubelet", internal=True)


class Kubelet:
    """The workers of all Pods, by the UID of each."""

    def __init__(
        self, api: Api, recorder: Recorder, volumes: Volumes, directory: Path, images: dict[str, str], speed: float
    ) -> None:
        self.api, self.recorder, self.volumes, self.directory = api, recorder, volumes, directory
        self.images, self.speed = images, speed
        self.workers: dict[str, PodWorker] = {}
        self.failures: list[Exception] = []
        self.down: dict[str, asyncio.Event] = {}  # nodes that say nothing, until they are up again
        self.pulled: set[str] = set()
        self.addresses = itertools.count(17)

    def notice(self, resource: Resource, change: Change) -> None:
        if resource is not PODS:
            return
        pod, uid = change.document, change.document["metadata"]["uid"]
        worker = self.workers.get(uid)
        if change.type == "DELETED":
            if worker:
                worker.forget()
        elif worker:
            worker.changed(pod)
        elif self.is_ours(pod):
            self.workers[uid] = PodWorker(self, pod)

    def is_ours(self, pod: Document) -> bool:
        """Tell whether a Pod needs a worker: those that were made for a benchmark live without one."""
        simulated = (pod["metadata"].get("annotations") or {}).get("double.local/simulated")
        return bool(pod["spec"].get("nodeName")) and pod["status"]["phase"] not in ("Failed", "Succeeded") and not simulated

    def worker_of(self, namespace: str, name: str) -> PodWorker:
        """Find the worker of a Pod that runs; KeyError if there is none."""
        return self.workers[self.api.get(PODS, namespace, name)["metadata"]["uid"]]

    def host_ip(self, node: str) -> str:
        found = self.api.store.get(NODES, "", node)
        addresses = found["status"].get("addresses", []) if found else []
        return next((each["address"] for each in addresses if each["type"] == "InternalIP"), "192.0.2.2")

    def pod_ip(self) -> str:
        number = next(self.addresses)
        return f"10.244.{number // 250 % 250}.{number % 250 + 1}"

    def directory_of(self, pod: Document, volume: str) -> Path:
        """Where a Pod's volume is: a claim's own directory, or one that goes with the Pod."""
        found = next(each for each in pod["spec"].get("volumes", []) if each["name"] == volume)
        if "persistentVolumeClaim" in found:
            return self.volumes.path(
                self.api.get(CLAIMS, pod["metadata"]["namespace"], found["persistentVolumeClaim"]["claimName"])
            )
        return self.directory / "pods" / pod["metadata"]["uid"] / volume

    def logs(self, pod: Document, query: dict[str, str]) -> bytes:
        return pod_log(self.directory / "logs", pod, query)

    def port_of(self, key: Key) -> int | None:
        """Where the process of a ready Pod listens on this machine."""
        pod = self.api.store.get(PODS, *key)
        worker = self.workers.get(pod["metadata"]["uid"]) if pod is not None else None
        container = worker.container if worker and worker.view.ready else None
        return container.port if isinstance(container, Process) and container.running else None

    # what befalls nodes

    def silence(self, node: str, *, kill: bool) -> None:
        """Let a node say nothing more; `kill` ends its containers too, as when the machine is off."""
        self.down.setdefault(node, asyncio.Event())
        for worker in self.on(node):
            if kill and worker.container:
                worker.container.kill()

    def wake(self, node: str) -> None:
        if event := self.down.pop(node, None):
            event.set()
        for worker in self.on(node):
            worker.caught_up()

    def on(self, node: str) -> list[PodWorker]:
        return [worker for worker in self.workers.values() if worker.node == node]

    async def close(self) -> None:
        """End every container at once."""
        workers = list(self.workers.values())
        for worker in workers:
            worker.stop()
        for worker in workers:
            if worker.container and worker.container.running:
                await asyncio.wait([worker.container.done], timeout=5)
        await asyncio.gather(*(worker.task for worker in workers), return_exceptions=True)
        self.workers.clear()
