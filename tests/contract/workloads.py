"""Specs of the engine double, and ways to wait for what becomes of them."""

import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import psutil

from engines.clusters.base import Cluster, ClusterUnavailable, Mount, Observation, Phase, WorkloadRef, WorkloadSpec
from engines.clusters.kubernetes.adapter import KubernetesCluster
from engines.clusters.names import new_slug
from tests.waiting import wait_until

T = TypeVar("T")
# What makes a spec one of a Pod: the double's kubelet runs this image as a process of this machine. See tests/cluster.
IN_A_POD: dict[str, Any] = {"image": "double/process"}
NAMESPACE = "aigc-t-acme"
ENGINE_DOUBLE = Path(__file__).parent / "engine_double.py"
_numbers = itertools.count(1)
# Several test runs may share a machine, and processes are found by their workload's name.
_RUN = new_slug()


def own_name(text: object) -> str:
    """A workload name that no other test process on this machine has."""
    return f"i-{text}-{_RUN}"


def make_spec(cluster: Cluster, *flags: str, **fields: object) -> WorkloadSpec:
    """A workload of its own with a volume that is there."""
    number = next(_numbers)
    spec = WorkloadSpec(
        name=own_name(number),
        instance_id=f"00000000-0000-4000-8000-{number:012}",
        tenant="acme",
        namespace=NAMESPACE,
        epoch=1,
        volume=f"v-{number}",
        command=(sys.executable, "-S", str(ENGINE_DOUBLE), "--port", "{port}", "--data", "{data}"),
        args=flags,
        health_path="/healthz",
    )
    if isinstance(cluster, KubernetesCluster):
        spec = replace(spec, port=8188, data_mounts=(Mount("/data"),), **IN_A_POD)
    spec = replace(spec, **fields)
    cluster.ensure_volume(spec.volume_ref, tenant=spec.tenant, size_gib=1)
    return spec


@dataclass(frozen=True)
class Traits:
    """Where the port leaves adapters a choice."""

    ended: Phase = Phase.EXITED  # of an engine that ended unasked: BROKEN where the cluster would start it again for ever
    refuses_at_once: bool = True  # what cannot start, or else says so in a later look
    measures: bool = True  # volumes that nothing has open
    keeps_logs: bool = True  # of what is stopped
    clock: timedelta = timedelta(0)  # what its timestamps are rounded down by, at most


def traits_of(cluster: Cluster) -> Traits:
    if isinstance(cluster, KubernetesCluster):
        return Traits(Phase.BROKEN, refuses_at_once=False, measures=False, keeps_logs=False, clock=timedelta(seconds=1))
    return Traits()


def wait_ended(cluster: Cluster, workload: WorkloadRef) -> Observation:
    """Wait until an engine that ends by itself is seen to have ended."""
    return wait_phase(cluster, workload, traits_of(cluster).ended)


def end_and_settle(cluster: Cluster, spec: WorkloadSpec) -> Observation:
    """Let an engine end by itself, and stop what still holds its place then, as the life cycle does."""
    cluster.apply(spec)
    ended = wait_ended(cluster, spec.ref)
    if ended.phase == Phase.BROKEN:
        stop(cluster, spec.ref, epoch=spec.epoch)
    return ended


def wait_for(condition: Callable[[], T]) -> T:
    """Wait until the condition holds and return its value."""
    values: list[T] = []

    def holds() -> bool:
        values.append(condition())
        return bool(values[-1])

    wait_until(holds, pause=0.01)
    return values[-1]


def wait_phase(cluster: Cluster, workload: WorkloadRef, phase: Phase) -> Observation:
    """Wait until the workload is seen in this phase."""

    def seen() -> Observation | None:
        observed = cluster.observe(workload)
        return observed if observed.phase == phase else None

    return wait_for(seen)


def start(cluster: Cluster, spec: WorkloadSpec) -> Observation:
    """Apply and wait until it is ready."""
    cluster.apply(spec)
    return wait_phase(cluster, spec.ref, Phase.READY)


def apply_in_time(cluster: Cluster, spec: WorkloadSpec) -> None:
    """Apply, again as long as the cluster asks to come back later."""

    def applied() -> bool:
        try:
            cluster.apply(spec)
        except ClusterUnavailable:
            return False
        return True

    wait_for(applied)


def stop(cluster: Cluster, workload: WorkloadRef, *, epoch: int = 1, grace_seconds: float = 10) -> Observation:
    """Stop and wait until it is gone."""
    cluster.stop(workload, epoch=epoch, grace_seconds=grace_seconds)
    return wait_phase(cluster, workload, Phase.GONE)


def living(name: str) -> list[psutil.Process]:
    """Living processes on this machine that carry the workload's mark, oldest first."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("AIGC_WORKLOAD") == name and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return sorted(found, key=lambda process: (process.create_time(), process.pid))
