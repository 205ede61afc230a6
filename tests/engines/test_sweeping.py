"""The guarantee holds whatever is wrong with one cluster, one instance or one volume."""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import time_machine
from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from engines import hints, sweeping, tasks, watching
from engines.clusters import get_cluster
from engines.models import Cluster, Instance, Volume
from engines.operations import volumes
from engines.queries.phases import queue_position
from engines.reconcile import expire_deadlines, reconcile
from engines.states import HOLDS_GPU
from engines.workloads import workload_spec
from tenants.errors import PortalError
from tests import factories
from tests.kubernetes.double import KubernetesDouble
from tests.waiting import wait_until

NOW = datetime.now(UTC)


@pytest.fixture
def hinted(monkeypatch):
    """What the sweep asked for."""
    found = []
    monkeypatch.setattr(hints, "reconcile_soon", found.append)
    return found


@pytest.fixture
def damage(cluster):
    """Make the record of an instance's workload unreadable until the test ends."""
    layout, damaged = get_cluster(cluster).store.layout, []

    def run(instance: Instance) -> None:
        layout.workload(instance.workload.name).mkdir()
        layout.record(instance.workload.name).write_text("{")
        damaged.append(instance)

    yield run
    for instance in damaged:
        layout.record(instance.workload.name).unlink()


def test_a_cluster_that_cannot_be_reached_at_all_keeps_no_other_from_being_swept(acme, alice, cluster, hinted):
    Cluster.objects.create(slug="a-first", name="A first", kind="kubernetes")
    overdue = factories.make_instance(acme, alice, cluster, state="queued", deadline_at=NOW)
    waiting = factories.make_instance(acme, alice, cluster, state="queued")
    sweeping.sweep()
    overdue.refresh_from_db()
    assert overdue.state == "failed"
    assert hinted == [waiting.pk]


def test_a_workload_that_cannot_be_looked_at_keeps_no_other_from_being_seen(acme, alice, cluster, damage, hinted):
    slugs = ("bbbbbbbbbb", "cccccccccc")
    damaged, gone = (factories.make_instance(acme, alice, cluster, state="running", slug=slug) for slug in slugs)
    overdue = factories.make_instance(acme, alice, cluster, state="queued", deadline_at=NOW)
    damage(damaged)
    sweeping.sweep()
    states = dict(Instance.objects.values_list("pk", "state"))
    assert states == {damaged.pk: "running", gone.pk: "failed", overdue.pk: "failed"}


def test_a_workload_that_cannot_be_stopped_keeps_no_other_deadline_from_being_met(acme, alice, cluster, damage):
    late = [
        factories.make_instance(acme, alice, cluster, state="provisioning", deadline_at=NOW - timedelta(minutes=age))
        for age in range(3)
    ]
    damage(late[0])
    expire_deadlines(cluster)
    states = dict(Instance.objects.values_list("pk", "state"))
    assert [states[instance.pk] for instance in late] == ["stopping", "failed", "failed"]


def test_a_cluster_that_is_away_is_asked_once_and_its_queue_ends_all_the_same(acme, alice, hinted, caplog):
    away = Cluster.objects.create(slug="away", name="Away", kind="kubernetes", config={"kubeconfig": "/nowhere"})
    late = [
        factories.make_instance(acme, alice, away, state=state, deadline_at=NOW - timedelta(minutes=age))
        for age, state in enumerate(["provisioning", "stopping", "queued"])
    ]
    expire_deadlines(away)
    states = dict(Instance.objects.values_list("pk", "state"))
    assert states[late[2].pk] == "failed"
    assert caplog.text.count("there is no kubeconfig /nowhere") == 1


@pytest.mark.django_db(transaction=True)
def test_one_process_watches_more_clusters_than_a_pool_has_connections(make_cluster):
    clusters = [make_cluster(slots=1) for _ in range(3)]
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    command = [sys.executable, "manage.py", "watch_clusters"]
    watcher = subprocess.Popen(command, cwd=settings.BASE_DIR, env=os.environ | {"DATABASE_URL": database, "AIGC_DB_POOL": "1"})
    try:
        wait_until(lambda: not Cluster.objects.filter(watched_at=None).exists())
        assert Cluster.objects.count() == len(clusters)
    finally:
        watcher.terminate()
        assert watcher.wait(30) == 0


@pytest.mark.django_db(transaction=True)
def test_a_watcher_that_may_not_count_slots_watches(tmp_path, caplog):
    factories.make_gpu_class("claimed", dra={"device_class": "gpu.example.com"})
    with KubernetesDouble(speed=20) as double:
        double.faults.add(verb="list", path="/resourceslices", status=403)
        config = {"kubeconfig": str(double.kubeconfig(tmp_path / "kubeconfig"))}
        cluster = Cluster.objects.create(slug="lab", name="Lab", kind="kubernetes", config=config)
        stop = threading.Event()
        watcher = threading.Thread(target=watching.watch_for_ever, args=(cluster.pk, stop))
        watcher.start()
        try:
            wait_until(lambda: Cluster.objects.get(pk=cluster.pk).watched_at is not None)
            first = Cluster.objects.get(pk=cluster.pk).watched_at
            wait_until(lambda: Cluster.objects.get(pk=cluster.pk).watched_at > first)
            assert "the slots of cluster lab cannot be counted" in caplog.text
            assert "watching cluster" not in caplog.text
        finally:
            stop.set()
            watcher.join()


@pytest.mark.django_db(transaction=True)
def test_a_watcher_survives_what_nobody_foresaw(cluster, monkeypatch):
    Cluster.objects.filter(pk=cluster.pk).update(config={"slots": "many"})
    monkeypatch.setattr(watching, "_RETRY_SECONDS", (0.05, 0.05))
    stop = threading.Event()
    watcher = threading.Thread(target=watching.watch_for_ever, args=(cluster.pk, stop))
    watcher.start()
    try:
        watcher.join(0.3)
        Cluster.objects.filter(pk=cluster.pk).update(config=cluster.config)
        wait_until(lambda: Cluster.objects.get(pk=cluster.pk).watched_at is not None)
    finally:
        stop.set()
        watcher.join()


@pytest.mark.django_db(transaction=True)
def test_a_watcher_ends_with_its_cluster(db):
    watching.watch_for_ever(0, threading.Event())


@pytest.fixture
def trashed(acme, alice, cluster):
    volume = factories.make_volume(acme, alice, cluster, state="trashed", purge_at=NOW)
    get_cluster(cluster).ensure_volume(volume.ref, tenant="acme", size_gib=1)
    return volume


def test_what_is_about_to_be_purged_cannot_be_restored(trashed, alice_in_acme):
    """Its data may be half gone."""
    with pytest.raises(PortalError, match="can no longer be restored"):
        volumes.restore_volume(volume=trashed, by=alice_in_acme)
    assert Volume.objects.get().state == "trashed"


@pytest.mark.django_db(transaction=True)
def test_a_restore_just_before_the_purge_keeps_the_data(trashed, cluster):
    """The purge waits for whoever is restoring."""

    def purge_elsewhere():
        sweeping.purge_trash()
        connection.close()

    purge = threading.Thread(target=purge_elsewhere)
    with transaction.atomic():
        Volume.objects.filter(pk=trashed.pk).update(state="active", purge_at=None)
        purge.start()
        purge.join(0.5)
    purge.join()
    assert Volume.objects.get().state == "active"
    assert get_cluster(cluster).volume_exists(trashed.ref)


def test_an_instance_that_the_cluster_knows_better_is_asked_for_again_at_leisure(acme, alice, cluster, monkeypatch):
    """After a restored backup its epochs lie behind the cluster's: no worker may spin on that."""
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda task, args, **options: sent.append((task, args, options["countdown"])))
    instance = factories.make_instance(acme, alice, cluster, state="stopping", desired_state="stopped")
    get_cluster(cluster).stop(instance.workload, epoch=9, grace_seconds=0)
    get_cluster(cluster).ensure_volume(instance.volume.ref, tenant="acme", size_gib=1)
    get_cluster(cluster).apply(replace(workload_spec(instance), epoch=10))
    tasks.reconcile_instance(str(instance.pk))
    assert sent == [("engines.tasks.reconcile_instance", [str(instance.pk)], tasks.AGAIN_SECONDS)]


def test_volumes_are_measured_and_one_that_is_away_keeps_its_figure(acme, alice, cluster):
    volume, away = (factories.make_volume(acme, alice, cluster, provisioned_at=NOW) for _ in range(2))
    Volume.objects.filter(pk=away.pk).update(used_bytes=7)
    adapter = get_cluster(cluster)
    adapter.ensure_volume(volume.ref, tenant="acme", size_gib=1)
    path = Path(cluster.config["root"]) / "volumes" / volume.ref.name / "picture"
    path.write_bytes(b"x" * 100_000)
    sweeping.measure_volumes()
    volume.refresh_from_db()
    away.refresh_from_db()
    assert volume.used_bytes == adapter.volume_usage(volume.ref).used_bytes >= 100_000
    assert away.used_bytes == 7


def test_a_suspended_tenant_waits_and_keeps_nobody_waiting(acme, alice, bolt, bob, cluster):
    cluster.capacities.update(slots=1)
    older = NOW - timedelta(minutes=1)
    suspended = factories.make_instance(acme, alice, cluster, queued_at=older)
    other = factories.make_instance(bolt, bob, cluster)
    assert queue_position(other) == 2
    acme.suspended_at = NOW
    acme.save()
    assert queue_position(other) == 1
    for instance in (suspended, other):
        reconcile(instance.pk)
        instance.refresh_from_db()
    assert suspended.state == "queued"
    assert other.state in HOLDS_GPU


@pytest.mark.parametrize(("second", "state"), [(1, "failed"), (29, "failed"), (31, "running"), (299, "running")])
def test_a_watched_cluster_is_looked_at_every_five_minutes(acme, alice, cluster, second, state):
    """A watch says nothing of what does not change, and that a run is alive has to be written down."""
    with time_machine.travel(datetime(2026, 1, 1, 12, 5, tzinfo=UTC) + timedelta(seconds=second), tick=False):
        Cluster.objects.update(watched_at=timezone.now())
        instance = factories.make_instance(acme, alice, cluster, state="running", run_id="vanished")
        sweeping.sweep()
    instance.refresh_from_db()
    assert instance.state == state


def test_a_cluster_that_nobody_watches_is_looked_at_each_time(acme, alice, cluster):
    with time_machine.travel(datetime(2026, 1, 1, 12, 7, tzinfo=UTC), tick=False):
        Cluster.objects.update(watched_at=timezone.now() - 2 * Cluster.SILENT_AFTER)
        instance = factories.make_instance(acme, alice, cluster, state="running", run_id="vanished")
        sweeping.sweep()
    instance.refresh_from_db()
    assert instance.state == "failed"
