"""Observations that come late, come twice, or skip what lay between."""

from datetime import UTC, datetime, timedelta

import pytest

from engines import hints
from engines.clusters.base import EndedRun, Observation, Phase
from engines.models import Instance
from engines.observe import observe
from engines.reasons import Reason
from engines.reconcile import reconcile
from tests import factories

NOW = datetime.now(UTC)


@pytest.fixture
def running(acme, alice, cluster):
    """An instance whose second wish runs."""
    return factories.make_instance(
        acme, alice, cluster, state="running", generation=2, applied_generation=2, run_id="second", upstream="127.0.0.1:20002"
    )


def seen(instance: Instance, phase: Phase, **fields: object) -> None:
    fields = {"epoch": 2, "run_id": "second", "upstream": "127.0.0.1:20002", "observed_at": datetime.now(UTC)} | fields
    observe(instance.cluster, Observation(name=instance.workload.name, phase=phase, **fields))
    instance.refresh_from_db()


def test_a_start_of_an_older_wish_does_not_push_a_running_instance_back(running):
    seen(running, Phase.STARTING, epoch=1, run_id="first", upstream="127.0.0.1:20001", observed_at=NOW - timedelta(minutes=1))
    assert (running.state, running.run_id, running.upstream) == ("running", "second", "127.0.0.1:20002")


def test_a_start_of_an_older_wish_is_not_that_of_the_present_one(running):
    Instance.objects.filter(pk=running.pk).update(state="provisioning", run_id="", upstream="")
    seen(running, Phase.STARTING, epoch=1, run_id="first", upstream="127.0.0.1:20001")
    assert (running.state, running.run_id, running.upstream) == ("provisioning", "", "")


def test_a_new_run_that_is_seen_only_once_it_is_ready_brings_its_address(running):
    """A gateway that went on dialling the old one might reach somebody else's engine."""
    seen(running, Phase.READY, run_id="third", upstream="127.0.0.1:20003")
    assert (running.state, running.run_id, running.upstream) == ("running", "third", "127.0.0.1:20003")
    assert list(running.events.values_list("new_state", flat=True)) == ["starting", "running"]
    seen(running, Phase.READY, run_id="third", upstream="127.0.0.1:20003")
    assert running.events.count() == 2


def test_a_stray_of_a_failed_wish_is_stopped_and_not_started_again(running, monkeypatch):
    """Whoever read that it failed must not find it running up a bill."""
    monkeypatch.setattr(hints, "reconcile_soon", reconcile)
    Instance.objects.filter(pk=running.pk).update(
        state="failed", reason="workload_vanished", settled_generation=2, state_since=NOW - timedelta(minutes=1)
    )
    seen(running, Phase.READY)
    assert (running.state, running.reason) == ("stopping", "stray_workload")
    reconcile(running.pk)
    running.refresh_from_db()
    assert (running.state, running.reason, running.retry_due) == ("failed", "workload_vanished", False)


@pytest.mark.parametrize("last_words", ["half\0gone", "a name \udcff of no alphabet"])
def test_what_cannot_be_stored_as_text_does_not_hide_an_end(running, last_words):
    """An engine writes what it likes into its log."""
    seen(running, Phase.EXITED, reason=Reason.ENGINE_EXITED, evidence=last_words)
    assert (running.state, running.reason) == ("failed", "engine_exited")
    assert running.evidence == running.events.get().evidence == last_words.replace("\0", "�").replace("\udcff", "?")


def test_what_cannot_be_stored_as_text_does_not_hide_a_wait(running):
    Instance.objects.filter(pk=running.pk).update(state="provisioning")
    seen(running, Phase.PENDING, reason=Reason.NO_CAPACITY, evidence="no\0thing")
    assert (running.reason, running.evidence) == ("no_capacity", "no�thing")


def test_a_watch_that_does_not_know_of_a_run_yet_proves_no_end(running):
    seen(running, Phase.READY, started_at=NOW - timedelta(minutes=2), ready_at=NOW - timedelta(minutes=1))
    seen(running, Phase.PENDING, run_id="", upstream="")
    assert (running.state, running.run_id) == ("starting", "")
    seen(running, Phase.READY)
    assert (running.state, running.run_id) == ("running", "second")
    assert not running.run_facts.filter(kind="ended").exists()


def test_why_a_run_was_replaced_is_noted_though_nobody_saw_it_end(running):
    evicted = EndedRun("second", ended_at=NOW, reason=Reason.EVICTED, evidence="Evicted: low on disk")
    for _ in range(2):
        seen(running, Phase.READY, run_id="third", upstream="127.0.0.1:20003", ended_runs=(evicted,))
    assert list(running.events.filter(kind="note").values_list("reason", "evidence")) == [("evicted", "Evicted: low on disk")]
    assert running.run_id == "third"
