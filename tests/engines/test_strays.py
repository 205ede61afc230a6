"""What is left of a deleted instance is asked for again with every sweep, until the cluster has nothing of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from engines import hints, sweeping
from engines.clusters import get_cluster
from engines.clusters.base import ClusterUnavailable, Observation, Phase
from engines.models import Cluster, Instance
from engines.observe import observe
from engines.reconcile import remove_stray
from engines.workloads import workload_spec
from tests import factories
from tests.waiting import wait_until

REMOVE = "engines.tasks.remove_stray"


@pytest.fixture
def sent(monkeypatch):
    """Hints, all of which are lost."""
    found = []
    monkeypatch.setattr(hints, "_send", lambda task, instance_id, **_: found.append((task, instance_id)))
    return found


@pytest.fixture
def deleted(acme, alice, cluster):
    """An instance that was deleted a minute ago, on a cluster that is watched and not due to be listed."""
    Cluster.objects.update(watched_at=timezone.now())
    return factories.make_instance(
        acme, alice, cluster, state="deleted", desired_state="deleted", generation=2, applied_generation=1,
        state_since=timezone.now() - timedelta(minutes=1),
    )  # fmt: skip


def seen(instance, phase, **more):
    return Observation(instance.workload.name, phase, datetime.now(UTC), epoch=1, **more)


def swept(sent) -> list:
    """What a sweep asks for, between two listings of a watched cluster."""
    sent.clear()
    sweeping.sweep()
    return [each for each in sent if each[0] == REMOVE]


@pytest.mark.parametrize(
    ("phase", "remains"),
    [(phase, False) for phase in (Phase.PENDING, Phase.STARTING, Phase.READY, Phase.STOPPING, Phase.BROKEN)]
    + [(Phase.GONE, True)],
)
def test_every_sweep_asks_until_it_is_seen_gone(cluster, deleted, sent, django_capture_on_commit_callbacks, phase, remains):
    assert swept(sent) == []
    with django_capture_on_commit_callbacks(execute=True):
        observe(cluster, seen(deleted, phase, run_id="stray", remains=remains))
    assert sent == [(REMOVE, deleted.pk)]
    for _ in range(2):
        assert swept(sent) == [(REMOVE, deleted.pk)]
    observe(cluster, seen(deleted, Phase.GONE))
    assert swept(sent) == []
    assert Instance.objects.get().state == "deleted"


def test_an_older_look_does_not_end_it(cluster, deleted, sent):
    before = seen(deleted, Phase.GONE)
    observe(cluster, seen(deleted, Phase.READY, run_id="stray"))
    observe(cluster, before)
    assert swept(sent) == [(REMOVE, deleted.pk)]


def test_a_look_from_before_the_deletion_begins_none(cluster, deleted, sent):
    observe(cluster, replace(seen(deleted, Phase.READY), observed_at=deleted.state_since - timedelta(seconds=1)))
    assert swept(sent) == []


def test_what_was_asked_for_is_done_and_ends_it(cluster, deleted, sent):
    adapter = get_cluster(cluster)
    adapter.ensure_volume(deleted.volume.ref, tenant="acme", size_gib=1)
    observe(cluster, seen(deleted, Phase.READY, run_id="stray"))
    remove_stray(deleted.pk)
    assert swept(sent) == []


def test_a_cluster_that_is_away_when_it_is_asked_is_asked_again(cluster, deleted, sent, monkeypatch):
    observe(cluster, seen(deleted, Phase.READY, run_id="stray"))
    Cluster.objects.filter(pk=cluster.pk).update(kind="kubernetes", config={"kubeconfig": "/does/not/exist"})
    with pytest.raises(ClusterUnavailable):
        remove_stray(deleted.pk)
    assert swept(sent) == [(REMOVE, deleted.pk)]


def test_a_workload_that_was_begun_late_is_found_and_ended(cluster, deleted, sent):
    """From the sight of it to its end, with every hint lost."""
    adapter = get_cluster(cluster)
    adapter.ensure_volume(deleted.volume.ref, tenant="acme", size_gib=1)
    adapter.apply(workload_spec(deleted))
    observe(cluster, adapter.observe(deleted.workload))
    [(_, asked)] = swept(sent)

    def is_over():
        remove_stray(asked)
        return swept(sent) == []

    wait_until(is_over)
    assert adapter.observe(deleted.workload).phase == Phase.GONE
    assert adapter.list_workloads() == []
