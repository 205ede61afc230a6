"""Drive the life cycle in the test's own thread: what worker and watcher do, until a condition holds."""

from engines.clusters import get_cluster
from engines.models import Cluster, Instance
from engines.observe import observe
from engines.reconcile import expire_deadlines, reconcile
from engines.states import InstanceState
from tests.waiting import DEADLINE_SECONDS, wait_until


def look(cluster: Cluster) -> None:
    """Observe every workload of the cluster once, and those rows that should have one."""
    adapter = get_cluster(cluster)
    for seen in adapter.list_workloads():
        observe(cluster, seen)
    expire_deadlines(cluster)


def transitions(instance: Instance) -> list[str]:
    """The states that the instance has moved to, in order."""
    return list(instance.events.filter(kind="transition").values_list("new_state", flat=True))


def drive(instance: Instance, state: InstanceState | str, *, seconds: float = DEADLINE_SECONDS) -> Instance:
    """Reconcile and observe until the instance is in `state`; returns the fresh row."""

    def arrived() -> bool:
        reconcile(instance.pk)
        look(instance.cluster)
        instance.refresh_from_db()
        return instance.state == state

    wait_until(arrived, seconds=seconds)
    return instance
