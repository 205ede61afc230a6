"""The life cycle on a real local cluster with real engine processes."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from engines import hints, sweeping
from engines.clusters import get_cluster
from engines.clusters.base import ClusterUnavailable, Observation, Phase
from engines.models import Instance, RunFact, Volume
from engines.observe import observe
from engines.operations import instances
from engines.reconcile import reconcile
from engines.states import HOLDS_GPU
from tests import factories
from tests.driving import drive, look, transitions
from tests.waiting import wait_until


@pytest.fixture
def launch(alice_in_acme, gpu_class, cluster):
    """Launch the engine double with flags as alice."""

    def run(*flags, name="Dragon", **fields):
        version = fields.pop("version", None) or factories.make_engine_version(*flags, **fields)
        return instances.launch_instance(membership=alice_in_acme, engine_version=version, gpu_class=gpu_class, name=name)

    return run


def processes(instance):
    """Living processes of the instance's workload, whoever their parents are."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("AIGC_WORKLOAD") == instance.workload.name and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def data(instance) -> Path:
    return Path(instance.cluster.config["root"]) / "volumes" / instance.volume.ref.name


def test_launch_pause_resume_delete_keeps_the_data(launch, ask):
    instance = drive(launch(), "running")
    assert transitions(instance) == ["provisioning", "starting", "running"]
    assert instance.upstream.startswith("127.0.0.1:")
    assert (instance.reason, instance.deadline_at) == ("ready", None)
    (data(instance) / "picture.png").write_bytes(b"picture")
    first_run = instance.run_id

    ask(instances.pause_instance, instance)
    drive(instance, "stopped")
    assert processes(instance) == []
    assert (instance.reason, instance.upstream, instance.ready_at) == ("paused", "", None)
    assert (data(instance) / "picture.png").read_bytes() == b"picture"

    ask(instances.resume_instance, instance)
    drive(instance, "running")
    assert instance.run_id not in {"", first_run}
    assert (data(instance) / "picture.png").read_bytes() == b"picture"

    ask(instances.delete_instance, instance, keep_volume=False)
    drive(instance, "deleted")
    assert processes(instance) == []
    assert get_cluster(instance.cluster).observe(instance.workload).phase == Phase.GONE
    assert (data(instance) / "picture.png").read_bytes() == b"picture"

    Volume.objects.update(purge_at=datetime.now(UTC))
    sweeping.purge_trash()
    instance.volume.refresh_from_db()
    assert instance.volume.state == "deleted"
    assert not data(instance).exists()


def test_each_run_leaves_its_facts_once(launch, ask):
    instance = drive(launch(), "running")
    for _ in range(3):
        look(instance.cluster)
    ask(instances.pause_instance, instance)
    drive(instance, "stopped")
    for _ in range(3):
        look(instance.cluster)
    facts = RunFact.objects.exclude(kind="seen").order_by("at")
    assert [(fact.kind, fact.source) for fact in facts] == [("started", "cluster"), ("ready", "cluster"), ("ended", "cluster")]
    assert len({fact.run_id for fact in facts}) == 1
    started, ready, ended = facts
    assert started.at <= ready.at <= ended.at
    assert (ended.tenant, ended.owner, ended.gpu_class) == (instance.tenant, instance.owner, instance.gpu_class)


def test_restart_is_a_fresh_run_on_the_same_data(launch, ask):
    instance = drive(launch(), "running")
    (data(instance) / "picture.png").write_bytes(b"picture")
    run = instance.run_id
    ask(instances.restart_instance, instance)
    drive(instance, "stopped")
    drive(instance, "running")
    assert instance.run_id != run
    assert len(processes(instance)) == len({process.pid for process in processes(instance)})
    assert (data(instance) / "picture.png").exists()


def test_an_engine_that_exits_at_once_has_failed_with_its_evidence(launch, ask):
    instance = drive(launch("--exit-after", "0", "--exit-code", "7"), "failed")
    assert instance.reason == "engine_exited"
    assert "exit code 7" in instance.evidence
    assert processes(instance) == []
    for _ in range(3):
        reconcile(instance.pk)
        look(instance.cluster)
    instance.refresh_from_db()
    assert (instance.state, transitions(instance).count("provisioning")) == ("failed", 1)


def test_a_failed_start_can_be_retried(launch, ask):
    instance = drive(launch("--exit-after", "0"), "failed")
    ask(instances.resume_instance, instance)
    drive(instance, "queued") if instance.state == "queued" else drive(instance, "failed")
    wait_until(lambda: drive(instance, "failed") and transitions(instance).count("provisioning") == 2)


def test_an_engine_that_never_listens_fails_at_its_start_up_limit(launch):
    instance = drive(launch("--never-listen", startup_limit_seconds=1), "failed")
    assert instance.reason == "start_timeout"
    assert transitions(instance) == ["provisioning", "starting", "stopping", "failed"]
    assert processes(instance) == []


def test_an_engine_that_dies_later_has_failed_and_its_slot_is_free(launch, ask):
    instance = drive(launch(), "running")
    for process in processes(instance):
        if process.name() != "sh":  # its supervisor, which tells how it ended
            process.kill()
    drive(instance, "failed")
    assert instance.reason == "engine_killed"
    assert "SIGKILL" in instance.evidence
    assert not Instance.objects.filter(state__in=HOLDS_GPU).exists()
    ask(instances.resume_instance, instance)
    drive(instance, "running")


def test_a_command_that_does_not_exist_is_the_operators_problem(launch):
    instance = drive(launch(command=["/does/not/exist"]), "failed")
    assert instance.reason == "start_refused"
    assert "/does/not/exist" in instance.evidence
    assert instance.explanation.fixer == "operator"


def test_a_pause_during_a_slow_start_wins(launch, ask):
    instance = drive(launch("--start-delay", "30"), "starting")
    ask(instances.pause_instance, instance)
    drive(instance, "stopped")
    assert "running" not in transitions(instance)
    assert processes(instance) == []


def test_a_cancelled_launch_stops_before_it_starts(launch, ask):
    instance = launch()
    ask(instances.cancel_launch, instance)
    drive(instance, "stopped")
    assert transitions(instance) == ["stopped"]
    assert not RunFact.objects.exists()


def test_a_resume_during_a_pause_comes_back(launch, ask):
    instance = drive(launch("--ignore-sigterm"), "running")
    ask(instances.pause_instance, instance)
    drive(instance, "stopping")
    ask(instances.resume_instance, instance)
    get_cluster(instance.cluster).stop(instance.workload, epoch=instance.applied_generation, grace_seconds=0)
    drive(instance, "running")
    assert transitions(instance)[-4:] == ["queued", "provisioning", "starting", "running"]


def test_a_pause_taken_back_before_anybody_acted_changes_nothing(launch, ask):
    instance = drive(launch(), "running")
    run = instance.run_id
    ask(instances.pause_instance, instance)
    ask(instances.resume_instance, instance)
    for _ in range(3):
        reconcile(instance.pk)
        look(instance.cluster)
    instance.refresh_from_db()
    assert (instance.state, instance.run_id) == ("running", run)


def test_an_engine_that_ignores_the_request_is_forced_after_its_grace(launch, ask, settings):
    settings.STOP_GRACE_SECONDS = 1
    instance = drive(launch("--ignore-sigterm"), "running")
    ask(instances.pause_instance, instance)
    drive(instance, "stopped")
    assert processes(instance) == []


def test_a_stuck_stop_is_noted_and_forced_at_its_deadline(launch, ask, settings):
    settings.STOP_GRACE_SECONDS = 600
    instance = drive(launch("--ignore-sigterm"), "running")
    ask(instances.pause_instance, instance)
    drive(instance, "stopping")
    assert processes(instance) != []
    Instance.objects.filter(pk=instance.pk).update(deadline_at=datetime.now(UTC))
    drive(instance, "stopped")
    assert instance.events.filter(kind="note", reason="stop_stuck").count() == 1
    assert processes(instance) == []


def test_the_second_waits_for_the_slot_and_says_so(launch, ask, cluster):
    cluster.capacities.update(slots=1)
    first = drive(launch(), "running")
    second = launch(name="Wolf")
    reconcile(second.pk)
    second.refresh_from_db()
    assert (second.state, second.reason) == ("queued", "no_capacity")
    ask(instances.pause_instance, first)
    drive(first, "stopped")
    drive(second, "running")


def test_the_queue_is_first_come_first_served(launch, cluster):
    older, younger = launch(name="Older"), launch(name="Younger")
    Instance.objects.filter(pk=older.pk).update(queued_at=datetime.now(UTC) - timedelta(minutes=1))
    cluster.capacities.update(slots=1)
    reconcile(younger.pk)
    younger.refresh_from_db()
    assert younger.state == "queued"
    drive(older, "running")


def test_who_is_admitted_wakes_the_next_in_line_until_all_slots_are_taken(launch, cluster, monkeypatch):
    cluster.capacities.update(slots=2)
    line = [launch(name=name) for name in ("First", "Second", "Third")]
    monkeypatch.setattr(hints, "reconcile_soon", reconcile)  # what a worker does with the hint
    reconcile(line[0].pk)
    states = Instance.objects.order_by("queued_at").values_list("state", flat=True)
    assert [state == "queued" for state in states] == [False, False, True]


def test_waiting_for_a_day_is_a_failure(launch, cluster):
    instance = launch()
    cluster.capacities.update(slots=0)
    reconcile(instance.pk)
    Instance.objects.filter(pk=instance.pk).update(deadline_at=datetime.now(UTC))
    look(cluster)
    instance.refresh_from_db()
    assert (instance.state, instance.reason) == ("failed", "queue_timeout")


def test_lost_data_is_never_replaced_by_an_empty_volume(launch, ask):
    instance = drive(launch(), "running")
    ask(instances.pause_instance, instance)
    drive(instance, "stopped")
    data(instance).rename(data(instance).with_name("lost"))
    ask(instances.resume_instance, instance)
    drive(instance, "failed")
    assert instance.reason == "volume_missing"
    assert not data(instance).exists()


def test_a_stray_workload_is_stopped(launch, ask):
    instance = drive(launch(), "running")
    Instance.objects.filter(pk=instance.pk).update(
        state="stopped", desired_state="stopped", state_since=datetime.now(UTC), generation=2
    )
    look(instance.cluster)
    instance.refresh_from_db()
    assert (instance.state, instance.reason) == ("stopping", "stray_workload")
    drive(instance, "stopped")
    assert processes(instance) == []


def test_looks_that_come_late_change_nothing(launch, ask):
    instance = drive(launch(), "running")
    adapter = get_cluster(instance.cluster)
    while_running = adapter.observe(instance.workload)
    ask(instances.pause_instance, instance)
    drive(instance, "stopped")
    observe(instance.cluster, while_running)
    observe(instance.cluster, Observation(name=instance.workload.name, phase=Phase.GONE, observed_at=while_running.observed_at))
    instance.refresh_from_db()
    assert instance.state == "stopped"
    gone = adapter.observe(instance.workload)
    ask(instances.resume_instance, instance)
    drive(instance, "running")
    observe(instance.cluster, gone)
    instance.refresh_from_db()
    assert instance.state == "running"


def test_the_sweep_alone_brings_everything_to_rest(launch, ask, monkeypatch, django_capture_on_commit_callbacks):
    """No watcher, no hints: every half minute's sweep is enough."""

    monkeypatch.setattr(hints, "reconcile_soon", reconcile)  # what a worker does with the sweep's hint

    def arrives(instance, state):
        def swept():
            sweeping.sweep()
            instance.refresh_from_db()
            return instance.state == state

        wait_until(swept)

    instance = launch()
    arrives(instance, "running")
    ask(instances.pause_instance, instance)
    arrives(instance, "stopped")
    ask(instances.delete_instance, instance, keep_volume=True)
    arrives(instance, "deleted")
    assert instance.volume.state == "active"


def test_a_cluster_that_is_away_is_said_and_tried_again(launch, ask):
    instance = launch()
    root = Path(instance.cluster.config["root"])
    get_cluster(instance.cluster)
    root.rename(root.with_name("away"))
    for _ in range(2):
        with pytest.raises(ClusterUnavailable):
            reconcile(instance.pk)
    instance.refresh_from_db()
    [note] = instance.events.filter(kind="note")
    assert (instance.state, note.reason) == ("provisioning", "cluster_unavailable")
    assert str(root) in note.evidence
    root.with_name("away").rename(root)
    drive(instance, "running")


def test_an_unknown_workload_is_left_alone(cluster, caplog):
    observe(cluster, Observation(name="i-bcdfghjkmn", phase=Phase.READY, observed_at=datetime.now(UTC)))
    assert "which no instance asked for" in caplog.text


def test_a_run_whose_end_nobody_saw_ends_when_it_was_last_alive(launch):
    instance = drive(launch(), "running")
    last = RunFact.objects.order_by("-at").first().at
    later = datetime.now(UTC) + timedelta(seconds=1)
    observe(instance.cluster, Observation(name=instance.workload.name, phase=Phase.GONE, observed_at=later))
    instance.refresh_from_db()
    ended = RunFact.objects.get(kind="ended")
    assert (instance.state, instance.reason) == ("failed", "workload_vanished")
    assert (ended.at, ended.source) == (last, "reconcile")
    assert time.time() > ended.at.timestamp()
