"""A metrics server: how much the processes of a Pod did since it was last asked about, as PodMetrics."""

import time

import psutil

from tests.kubernetes.double.clock import now
from tests.kubernetes.double.containers import Process
from tests.kubernetes.double.errors import not_found
from tests.kubernetes.double.kubelet import Kubelet
from tests.kubernetes.double.resources import POD_METRICS, PODS, Document


class MetricsServer:
    """Measures between two questions; of a Pod that it was never asked about it knows nothing yet, as a real one at first."""

    def __init__(self, kubelet: Kubelet) -> None:
        self.kubelet = kubelet
        self.last: dict[str, tuple[float, float]] = {}  # UID to when it was asked about, and CPU seconds until then

    def pod(self, namespace: str, name: str) -> Document:
        """Answer GET of one PodMetrics."""
        found = self.kubelet.api.store.get(PODS, namespace, name)
        uid = found["metadata"]["uid"] if found is not None else ""
        worker = self.kubelet.workers.get(uid)
        container = worker.container if worker else None
        if not isinstance(container, Process) or not container.running:
            raise not_found(POD_METRICS, name)
        before, present = self.last.get(uid), (time.monotonic(), cpu_seconds(container.process.pid))
        self.last[uid] = present
        if before is None:
            raise not_found(POD_METRICS, name)
        cores = (present[1] - before[1]) / (present[0] - before[0])
        usage = {"cpu": f"{int(cores * 10**9)}n", "memory": "65536Ki"}
        return {
            "kind": "PodMetrics",
            "apiVersion": POD_METRICS.api_version,
            "metadata": {"name": name, "namespace": namespace},
            "timestamp": now(),
            "window": f"{present[0] - before[0]:.3f}s",
            "containers": [{"name": worker.spec["name"], "usage": usage}],
        }


def cpu_seconds(pid: int) -> float:
    """What a process and those it started have spent."""
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        return sum(sum(each.cpu_times()[:2]) for each in family)
    except psutil.Error:
        return 0.0
