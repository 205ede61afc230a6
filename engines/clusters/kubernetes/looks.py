"""One look at one workload, or at all: the questions to ask the API, and what the answers mean."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from engines.clusters.base import ClassCapacity, GpuSpec, Observation, Phase, Proposal, WorkloadRef
from engines.clusters.kubernetes import paths
from engines.clusters.kubernetes.capacity import count_slots
from engines.clusters.kubernetes.config import KubernetesConfig
from engines.clusters.kubernetes.discovery import propose
from engines.clusters.kubernetes.labels import MANAGED_BY, MANAGER, ROLE, ROLE_ENGINE, SERVICE_IP, WORKLOAD
from engines.clusters.kubernetes.nodes import is_selected
from engines.clusters.kubernetes.objects import Json, annotation
from engines.clusters.kubernetes.observe import observe
from engines.clusters.kubernetes.rest import ApiError, Rest
from engines.clusters.kubernetes.seen import Seen, Settings
from engines.clusters.names import pod_name

_ON_A_NODE = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed"
OUR_ENGINES = f"{MANAGED_BY}={MANAGER},{ROLE}={ROLE_ENGINE}"


def settings_of(config: KubernetesConfig) -> Settings:
    """Return what of the configuration decides what is seen."""
    return Settings(max_restarts=config.max_restarts, upstream=config.upstream, service_port=config.service_port)


class Looks:
    """Reads only."""

    def __init__(self, rest: Rest, config: KubernetesConfig) -> None:
        """Ask nothing yet."""
        self._rest, self._settings, self._slots = rest, settings_of(config), config.slots
        self._pools = config.pools or {"": {}}

    def at(self, workload: WorkloadRef) -> Observation:
        """Look at one workload; asks for more where the StatefulSet and its Pod do not say why nothing runs."""
        began, space, name = datetime.now(UTC), workload.namespace, workload.name
        stateful_set = self._rest.find(paths.member("statefulsets", space, name))
        pod = self._rest.find(paths.member("pods", space, pod_name(name)))
        seen = self._seen(space, name, stateful_set, [pod] if pod else [])
        observed = observe(seen, now=began)
        is_plain = observed.phase != Phase.PENDING and observed.reason is None
        if is_plain and stateful_set is not None:
            return observed
        claim = self._rest.find(paths.member("persistentvolumeclaims", space, workload.volume)) if workload.volume else None
        abouts = () if is_plain else (name, pod_name(name), workload.volume)
        events = [
            event
            for about in abouts
            for event in self._rest.items(paths.collection("events", space), fieldSelector=f"involvedObject.name={about}")
        ]
        seen = self._seen(space, name, stateful_set, [pod] if pod else [], claim=claim, events=events)
        return observe(seen, now=began)

    def at_all(self) -> Iterator[tuple[WorkloadRef, Observation]]:
        """Look at all workloads, each as its StatefulSet and Pods show it; of one that has neither, a Service may be left.

        Lists are read one after the other: what they say together holds for the moment before the first at best.
        """
        began = datetime.now(UTC)
        pods: defaultdict[tuple[str, str], list[Json]] = defaultdict(list)
        for pod in self._rest.items(paths.collection("pods"), labelSelector=OUR_ENGINES):
            pods[pod["metadata"]["namespace"], pod["metadata"]["labels"].get(WORKLOAD, "")].append(pod)
        services = self._service_keys()
        for stateful_set in self._rest.items(paths.collection("statefulsets"), labelSelector=OUR_ENGINES):
            space, name = stateful_set["metadata"]["namespace"], stateful_set["metadata"]["name"]
            services.discard((space, name))
            seen = self._seen(space, name, stateful_set, pods.pop((space, name), []))
            yield WorkloadRef(name, space), observe(seen, now=began)
        for (space, name), left in pods.items():
            services.discard((space, name))
            yield WorkloadRef(name, space), observe(self._seen(space, name, None, left), now=began)
        for space, name in sorted(services):
            # Made by a call that was not followed by its StatefulSet: it is on its way, or too late for what was deleted.
            yield WorkloadRef(name, space), replace(observe(self._seen(space, name, None, []), now=began), remains=True)

    def _service_keys(self) -> set[tuple[str, str]]:
        """Name the Services of engines, by namespace; none where the right to list them was not granted."""
        try:
            services = list(self._rest.items(paths.collection("services"), labelSelector=OUR_ENGINES))
        except ApiError as error:
            if error.status == 403:
                return set()
            raise
        return {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in services}

    def _seen(self, namespace: str, name: str, stateful_set: Json | None, pods: Sequence[Json], **more: Any) -> Seen:
        address = annotation(stateful_set, SERVICE_IP)
        return Seen(name, namespace, stateful_set, pods, service_ip=address, settings=self._settings, **more)

    def capacity(self, classes: Sequence[GpuSpec]) -> list[ClassCapacity]:
        """Count slots from nodes and Pods, and from device slices where a class claims devices."""
        nodes = list(self._rest.items(paths.collection("nodes")))
        pods = list(self._rest.items(paths.collection("pods"), fieldSelector=_ON_A_NODE))
        kinds = ("resourceslices", "resourceclaims", "deviceclasses")
        slices, claims, device_classes = (self._devices(kind) if any(each.dra for each in classes) else () for kind in kinds)
        return [
            replace(counted, pool=pool)
            for pool, labels in self._pools.items()
            for counted in count_slots(
                [node for node in nodes if is_selected(node, labels)],
                pods,
                classes,
                slices,
                claims,
                device_classes=device_classes,
                by_policy=self._slots_of(pool),
            )
        ]

    def _slots_of(self, pool: str) -> dict[str, int]:
        """Return the slots that people set for the pool, by GPU class."""
        named = ((name.rpartition("/"), number) for name, number in self._slots.items())
        return {gpu_class: number for (where, _, gpu_class), number in named if where == pool}

    def proposals(self) -> list[Proposal]:
        """Propose GPU classes for what the nodes advertise."""
        return propose(self._rest.items(paths.collection("nodes")), self._devices("resourceslices"))

    def _devices(self, resource: str) -> list[Json]:
        """List what dynamic resource allocation knows; nothing where a cluster does not allocate devices that way."""
        try:
            return list(self._rest.items(paths.collection(resource)))
        except ApiError as error:
            if error.status == 404:
                return []
            raise
