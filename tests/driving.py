"""Drive the life cycle in the test's own thread: what worker and watcher do, until a condition holds."""

from engines.clusters import get_cluster
from engines.models import Cluster, Engine, GpuClass, Instance
from engines.observe import observe
from engines.operations import instances
from engines.reconcile import expire_deadlines, reconcile
from engines.states import InstanceState
from tenants.models import Membership
from tests import factories
from tests.waiting import DEADLINE_SECONDS, wait_until

LOOM = ["{python}", "-m", "engines.demo_engine", "--version", "2"]
LOOM += ["--host", "127.0.0.1", "--port", "{port}", "--data-dir", "{data}"]


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


def launch(by: Membership, gpu_class: GpuClass, *flags: str, family: str = "sd-webui", **fields: object) -> Instance:
    """Launch Loom, or the engine double with flags, or an engine version with `fields`, and wait until it runs."""
    engine, _made = Engine.objects.get_or_create(slug=f"of-{family}", defaults={"name": family, "family": family})
    fields = fields if flags else {"command": LOOM, **fields}
    version = factories.make_engine_version(*flags, engine=engine, **fields)
    instance = instances.launch_instance(
        membership=by, engine_version=version, gpu_class=gpu_class, name=f"Dragon {version.version}"
    )
    return drive(instance, "running", seconds=40)
