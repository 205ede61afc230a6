"""The life cycle of real rows on a Kubernetes cluster: wishes through operations, what is seen through the watch."""

from datetime import UTC, datetime

import pytest

from engines import hints
from engines.clusters import get_cluster
from engines.clusters.base import Observation, Phase
from engines.models import Capacity, Instance, RunFact
from engines.observe import observe
from engines.operations import instances
from engines.reconcile import reconcile, remove_stray
from engines.states import HOLDS_GPU
from tests.driving import transitions
from tests.kubernetes.living import Living, make_class, make_row, make_version, pod_name
from tests.waiting import wait_until

NAMESPACE = "aigc-t-acme"


@pytest.fixture
def make_living(db, double, tmp_path):
    made = []

    def make(**config):
        made.append(Living(double, make_row(double.kubeconfig(tmp_path / "kubeconfig"), **config)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def living(make_living):
    return make_living()


@pytest.fixture
def launch(alice_in_acme):
    def run(image="double/sleep", name="Dragon", **fields):
        version = make_version(image, **fields)
        return instances.launch_instance(membership=alice_in_acme, engine_version=version, gpu_class=make_class(), name=name)

    return run


def notes(instance):
    return list(instance.events.filter(kind="note").values_list("reason", flat=True))


def ended(run_id):
    return RunFact.objects.filter(run_id=run_id, kind="ended")


def test_launch_pause_resume_restart_delete(living, launch, ask):
    instance = living.drive(launch(), "running")
    assert transitions(instance)[0] == "provisioning"
    assert (instance.reason, instance.deadline_at) == ("ready", None)
    assert instance.upstream.endswith(":80")
    first = instance.run_id
    assert first == living.pod(instance)["metadata"]["uid"]

    ask(instances.pause_instance, instance)
    living.drive(instance, "stopped")
    assert transitions(instance)[-2:] == ["stopping", "stopped"]
    assert (living.pod(instance), living.replicas(instance)) == (None, 0)
    assert (instance.reason, instance.upstream, instance.ready_at) == ("paused", "", None)

    ask(instances.resume_instance, instance)
    second = living.drive(instance, "running").run_id
    ask(instances.restart_instance, instance)
    living.drive(instance, "stopped")
    third = living.drive(instance, "running").run_id
    assert len({first, second, third}) == 3

    ask(instances.delete_instance, instance, keep_volume=False)
    living.drive(instance, "deleted")
    assert (living.pod(instance), living.replicas(instance)) == (None, None)
    assert living.double.get("services", NAMESPACE, instance.workload.name) is None
    assert living.double.get("persistentvolumeclaims", NAMESPACE, instance.volume.ref.name) is not None
    # A watch and a look of a worker may each have seen the end, moments apart; billing takes the earlier.
    assert [1 <= ended(run).count() <= 2 for run in (first, second, third)] == [True] * 3


def test_stopped_is_said_only_when_the_pod_is_gone(living, launch, ask, settings):
    settings.STOP_GRACE_SECONDS = 3
    instance = living.drive(launch("double/stubborn"), "running")
    ask(instances.pause_instance, instance)
    living.until(instance, lambda: (living.pod(instance) or {}).get("metadata", {}).get("deletionTimestamp"))
    for _ in range(5):
        living.step(instance)
    assert (instance.state, living.pod(instance) is None) == ("stopping", False)
    living.drive(instance, "stopped")
    assert living.pod(instance) is None


def test_a_crash_loop_fails_with_its_reason_and_frees_the_gpu(make_living, launch):
    living = make_living(max_restarts=1)
    instance = living.drive(launch("double/exit-7"), "failed")
    assert (instance.reason, instance.explanation.failure) == ("engine_exited", True)
    assert "exit code 7" in instance.evidence
    assert (living.replicas(instance), living.pod(instance)) == (0, None)
    assert not Instance.objects.filter(state__in=HOLDS_GPU).exists()
    for _ in range(5):
        living.step(instance)
    assert (instance.state, transitions(instance).count("provisioning")) == ("failed", 1)


def restarts(pod: dict) -> int:
    return pod["status"]["containerStatuses"][0]["restartCount"]


def test_an_engine_that_crashes_once_comes_back_by_itself(living, launch):
    instance = living.drive(launch(), "running")
    run = instance.run_id
    living.double.exit(NAMESPACE, pod_name(instance), 3)
    living.until(instance, lambda: restarts(living.pod(instance)) == 1 and instance.state == "running")
    assert (instance.run_id, ended(run).count()) == (run, 0)


def test_an_image_that_is_not_there_fails_and_frees_the_gpu(living, launch):
    instance = living.drive(launch("double/no-such"), "failed")
    assert instance.reason == "image_not_found"
    assert "not found" in instance.evidence
    assert (living.replicas(instance), living.pod(instance)) == (0, None)


def test_a_quota_on_pods_explains_the_wait(living, launch, ask):
    first = living.drive(launch(), "running")
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few", "namespace": NAMESPACE},
             "spec": {"hard": {"pods": "1"}}}  # fmt: skip
    living.double.load([quota])
    second = launch(name="Wolf")
    living.until(second, lambda: second.reason == "quota_exceeded")
    assert second.state == "provisioning"
    assert "exceeded quota: few" in second.evidence
    ask(instances.pause_instance, first)
    living.drive(first, "stopped")
    living.drive(second, "running", seconds=40)


def test_a_pod_that_somebody_deleted_starts_again_as_a_run_of_its_own(living, launch):
    instance = living.drive(launch(), "running")
    first = instance.run_id
    living.double.delete("pods", NAMESPACE, pod_name(instance))
    living.until(instance, lambda: instance.state == "running" and instance.run_id != first)
    assert transitions(instance)[-2:] == ["starting", "running"]
    assert ended(first).count() >= 1
    assert not ended(instance.run_id).exists()


def test_an_eviction_is_told_and_overcome(living, launch):
    instance = living.drive(launch(), "running")
    first = instance.run_id
    living.double.evict(NAMESPACE, pod_name(instance))
    living.until(instance, lambda: instance.state == "running" and instance.run_id != first)
    assert notes(instance) == ["evicted"]
    assert "ephemeral-storage" in instance.events.get(kind="note").evidence
    assert ended(first).exists()


def test_a_drain_is_told_and_waits_for_a_machine(living, launch):
    instance = living.drive(launch(), "running")
    first = instance.run_id
    living.double.drain("lab-node")
    living.until(instance, lambda: instance.state == "starting" and instance.reason == "nodes_closed")
    assert "node_drained" in notes(instance)
    living.double.uncordon("lab-node")
    living.drive(instance, "running")
    assert instance.run_id != first


def test_what_is_stopped_on_a_lost_machine_stays_stopping(living, launch, ask):
    instance = living.drive(launch(), "running")
    living.double.node_down("lab-node")
    ask(instances.pause_instance, instance)
    living.until(instance, lambda: living.pod(instance)["metadata"].get("deletionTimestamp"))
    for _ in range(10):
        living.step(instance)
    assert instance.state == "stopping"
    living.double.node_up("lab-node")
    living.drive(instance, "stopped")


def test_a_stray_of_a_deleted_instance_is_removed(living, launch, ask, monkeypatch, django_capture_on_commit_callbacks):
    """A call that was on its way for very long may still create what was deleted meanwhile."""
    instance = living.drive(launch(), "running")
    late = living.double.get("statefulsets", NAMESPACE, instance.workload.name)
    late["metadata"] = {key: late["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    ask(instances.delete_instance, instance, keep_volume=True)
    living.drive(instance, "deleted")

    sent = []
    monkeypatch.setattr(hints, "_send", lambda task, instance_id, **_: sent.append((task, instance_id)))
    living.double.load([late])

    def is_asked_for():
        with django_capture_on_commit_callbacks(execute=True):
            living.follow()
        return ("engines.tasks.remove_stray", instance.pk) in sent

    wait_until(is_asked_for)
    remove_stray(instance.pk)
    living.until(instance, lambda: (living.pod(instance), living.replicas(instance)) == (None, None))
    assert instance.state == "deleted"


def test_a_volume_is_made_once_and_a_lost_one_is_never_replaced(living, launch, ask):
    instance = living.drive(launch(), "running")
    ask(instances.pause_instance, instance)
    living.drive(instance, "stopped")
    claim = instance.volume.ref.name
    made = [call for call in living.double.calls if call.verb == "create" and call.path.endswith("/persistentvolumeclaims")]
    assert len([call for call in made if call.status == 201]) == 1
    get_cluster(living.row).delete_volume(instance.volume.ref)
    ask(instances.resume_instance, instance)
    living.drive(instance, "failed")
    assert instance.reason == "volume_missing"
    assert living.double.get("persistentvolumeclaims", NAMESPACE, claim) is None
    assert living.replicas(instance) in {0, None}


def test_the_second_waits_for_the_slot(living, launch, ask):
    Capacity.objects.update(slots=1)
    first = living.drive(launch(), "running")
    second = launch(name="Wolf")
    reconcile(second.pk)
    second.refresh_from_db()
    assert (second.state, second.reason) == ("queued", "no_capacity")
    ask(instances.pause_instance, first)
    living.drive(first, "stopped")
    living.drive(second, "running")


def test_a_restart_of_the_server_changes_no_state(living, launch):
    instance = living.drive(launch(), "running")
    run = instance.run_id
    living.double.restart()
    living.until(instance, lambda: living.double.watches() == 5)
    assert (instance.state, instance.run_id, transitions(instance).count("running")) == ("running", run, 1)


def gone(instance, **known):
    return Observation(name=instance.workload.name, phase=Phase.GONE, observed_at=datetime.now(UTC), **known)


def test_rest_as_an_older_wish_left_it_is_no_end(living, launch, ask):
    instance = living.drive(launch(), "running")
    ask(instances.pause_instance, instance)
    living.drive(instance, "stopped")
    ask(instances.resume_instance, instance)
    living.drive(instance, "running")
    observe(living.row, gone(instance, epoch=1, remains=True))
    instance.refresh_from_db()
    assert (instance.state, ended(instance.run_id).count()) == ("running", 0)
    observe(living.row, gone(instance))
    instance.refresh_from_db()
    assert (instance.state, instance.reason) == ("failed", "workload_vanished")


def test_a_workload_of_its_name_in_another_namespace_is_not_its_own(living, launch, caplog):
    """Whoever may make objects elsewhere in the cluster decides neither its state nor where the gateway dials."""
    instance = living.drive(launch(), "running")
    before = (instance.state, instance.run_id, instance.upstream)
    forged = {"run_id": "theirs", "upstream": "10.96.0.66:80", "epoch": 99, "namespace": "theirs"}
    for phase in (Phase.READY, Phase.GONE):
        now = datetime.now(UTC)
        observe(living.row, Observation(name=instance.workload.name, phase=phase, observed_at=now, **forged))
    instance.refresh_from_db()
    assert (instance.state, instance.run_id, instance.upstream) == before
    assert caplog.text.count(f"runs {instance.workload.name} in theirs, which no instance asked for") == 1
    cluster = get_cluster(living.row)
    seen = [cluster.observe(instance.workload), *cluster.list_workloads(), next(filter(None, cluster.watch()))]
    assert [each.namespace for each in seen] == [instance.volume.namespace] * 3


def test_what_remains_is_not_deleted(living, launch, ask):
    """A worker died between stopping it and deleting its objects."""
    instance = living.drive(launch(), "running")
    ask(instances.delete_instance, instance, keep_volume=True)
    fault = living.double.faults.add(verb="delete", path="statefulsets", status=500)
    living.until(instance, lambda: living.replicas(instance) == 0 and living.pod(instance) is None)
    for _ in range(5):
        living.step(instance)
    assert instance.state == "deleting"
    living.double.faults.present.remove(fault)
    living.drive(instance, "deleted")
    assert living.replicas(instance) is None
