"""Drive instances on a double in the test's own thread: a watch hears from a thread of its own, rows change in the test's."""

import queue
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from engines.clusters import get_cluster
from engines.clusters.base import ClusterUnavailable, Observation
from engines.models import Capacity, Cluster, EngineVersion, GpuClass, Instance
from engines.observe import observe
from engines.reconcile import expire_deadlines, reconcile
from engines.states import InstanceState
from tests import factories
from tests.kubernetes.double import KubernetesDouble
from tests.waiting import DEADLINE_SECONDS, wait_until

RESOURCE = "nvidia.com/gpu"


def make_row(kubeconfig: Path, *, slots: int = 4, slug: str = "lab", **config: Any) -> Cluster:
    """A cluster row that reaches the double of the kubeconfig, with slots of the class `whole`."""
    config = {"kubeconfig": str(kubeconfig), "upstream": "cluster-ip"} | config
    row = Cluster.objects.create(slug=slug, name=slug, kind=Cluster.Kind.KUBERNETES, config=config)
    Capacity.objects.create(cluster=row, gpu_class=make_class(), slots=slots)
    return row


def make_class() -> GpuClass:
    return factories.make_gpu_class("whole", vendor="nvidia", resource=RESOURCE, count=1, ram_mib=256)


def make_version(image: str = "double/sleep", **fields: Any) -> EngineVersion:
    """A published version of an image of the double."""
    defaults = {"image": image, "command": [], "port": 8188, "data_mounts": [{"path": "/data"}]}
    return factories.make_engine_version(**defaults | fields)


class Living:
    """One cluster's watch, and what is done with what it says."""

    def __init__(self, double: KubernetesDouble, row: Cluster) -> None:
        self.double, self.row = double, row
        self._heard: queue.Queue[Observation] = queue.Queue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    def _hear(self) -> None:
        for seen in get_cluster(self.row).watch():
            if seen is not None:
                self._heard.put(seen)
            if self._stop.is_set():
                return

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def follow(self) -> None:
        """Write down what was heard so far."""
        with suppress(queue.Empty):
            while True:
                observe(self.row, self._heard.get_nowait())
        expire_deadlines(self.row)

    def step(self, instance: Instance) -> None:
        """Once round: what a worker and the watcher do."""
        with suppress(ClusterUnavailable):  # a matter of time, such as a run that has not ended yet
            reconcile(instance.pk)
        self.follow()
        instance.refresh_from_db()

    def drive(self, instance: Instance, state: InstanceState | str, *, seconds: float = DEADLINE_SECONDS) -> Instance:
        """Go on until the instance is in `state`; returns the fresh row."""

        def arrived() -> bool:
            self.step(instance)
            return bool(instance.state == state)

        wait_until(arrived, seconds=seconds)
        return instance

    def until(self, instance: Instance, condition: Any, *, seconds: float = DEADLINE_SECONDS) -> None:
        """Go on until the condition holds."""

        def holds() -> bool:
            self.step(instance)
            return bool(condition())

        wait_until(holds, seconds=seconds)

    # what the cluster has of an instance

    def pod(self, instance: Instance) -> dict[str, Any] | None:
        return self.double.get("pods", instance.workload.namespace, pod_name(instance))

    def replicas(self, instance: Instance) -> int | None:
        """What the StatefulSet asks for; None if there is none."""
        found = self.double.get("statefulsets", instance.workload.namespace, instance.workload.name)
        return None if found is None else int(found["spec"]["replicas"])


def pod_name(instance: Instance) -> str:
    return f"{instance.workload.name}-0"
