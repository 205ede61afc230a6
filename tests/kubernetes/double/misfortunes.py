"""What befalls Pods and nodes at the push of a button: the part of the double that a test of failures uses."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tests.kubernetes.double.cluster import Cluster
from tests.kubernetes.double.containers import Process, Simulated
from tests.kubernetes.double.resources import STATEFUL_SETS

Result = TypeVar("Result")


class Misfortunes:
    """Mixed into the double, which says how to reach its loop."""

    cluster: Cluster

    def _await(self, work: Coroutine[Any, Any, Result]) -> Result:
        raise NotImplementedError

    def _on_loop(self, act: Callable[..., Result], *args: Any, **options: Any) -> Result:
        raise NotImplementedError

    def oom_kill(self, namespace: str, pod: str) -> None:
        """Let the kernel kill a Pod's container for its memory."""

        def act() -> None:
            container = self.cluster.kubelet.worker_of(namespace, pod).container
            assert container is not None
            container.oom = True
            container.kill()

        self._on_loop(act)

    def exit(self, namespace: str, pod: str, code: int) -> None:
        """Let a simulated container end by itself."""
        self._on_loop(lambda: self._simulated(namespace, pod).ended(code))

    def answer(self, namespace: str, pod: str, on: bool) -> None:
        """Let a simulated container answer its probes from now on, or not."""

        def act() -> None:
            self._simulated(namespace, pod).answering = on

        self._on_loop(act)

    def _simulated(self, namespace: str, pod: str) -> Simulated:
        container = self.cluster.kubelet.worker_of(namespace, pod).container
        assert isinstance(container, Simulated)
        return container

    def evict(self, namespace: str, pod: str, message: str = "The node was low on resource: ephemeral-storage. ") -> None:
        """Let the kubelet evict a Pod: it stays as Failed until somebody deletes it."""
        self._await(self.cluster.kubelet.worker_of(namespace, pod).evict(message))

    def node_down(self, name: str, *, kill: bool = False) -> None:
        """Lose a node; `kill` if its machine is off, else its containers run on unseen."""
        self._on_loop(self.cluster.nodes.down, name, kill=kill)

    def node_up(self, name: str) -> None:
        self._on_loop(self.cluster.nodes.up, name)

    def cordon(self, name: str) -> None:
        self._on_loop(self.cluster.nodes.cordon, name)

    def uncordon(self, name: str) -> None:
        self._on_loop(self.cluster.nodes.uncordon, name)

    def drain(self, name: str, *, heed_budgets: bool = False) -> list[str]:
        """Cordon a node and evict its Pods; gives the names of those that a budget kept."""
        return self._on_loop(self.cluster.nodes.drain, name, heed_budgets=heed_budgets)

    def pause_controllers(self, on: bool = True) -> None:
        """Let the StatefulSet controller rest; when it goes on it looks at every set."""

        def act() -> None:
            controller = self.cluster.stateful_sets
            controller.paused = on
            for each in [] if on else self.cluster.store.all(STATEFUL_SETS):
                controller.queue.add((each["metadata"]["namespace"], each["metadata"]["name"]))

        self._on_loop(act)

    def pids(self) -> list[int]:
        """Process ids of the engines that run."""
        workers = list(self.cluster.kubelet.workers.values())
        containers = [worker.container for worker in workers]
        return [each.process.pid for each in containers if isinstance(each, Process) and each.running]
