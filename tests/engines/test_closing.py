"""The portal is stopped in an orderly way: what ran on this machine is paused, what failed has failed, what waits waits on."""

import pytest

from engines.closing import end_local_engines
from engines.clusters import get_cluster
from engines.models import RunFact
from engines.operations.instances import launch_instance, restart_instance
from engines.reconcile import reconcile
from tests import factories
from tests.driving import drive, launch, look, transitions

pytestmark = pytest.mark.django_db(transaction=True)


def begin(by, gpu_class, *flags):
    """Launch an engine double and take the first steps."""
    version = factories.make_engine_version(*flags)
    instance = launch_instance(membership=by, engine_version=version, gpu_class=gpu_class, name=f"Dragon {version.version}")
    reconcile(instance.pk)
    instance.refresh_from_db()
    return instance


def wishes(instance):
    return list(instance.events.filter(kind="wish").values_list("reason", "actor__username"))


def close(instance, **how):
    end_local_engines(**how)
    instance.refresh_from_db()
    return instance


def test_what_runs_is_paused_and_its_end_is_written_down(cluster, gpu_class, alice_in_acme):
    instance = close(launch(alice_in_acme, gpu_class, "--greet", "hello"))
    assert (instance.state, instance.desired_state, instance.upstream) == ("stopped", "stopped", "")
    assert str(instance.explanation.sentence) == (
        "Paused because the portal was stopped. The data is kept, and it can be resumed at once."
    )
    assert wishes(instance) == [("launched", "alice"), ("portal_stopped", None)]
    assert transitions(instance)[-3:] == ["running", "stopping", "stopped"]
    ended = RunFact.objects.get(instance=instance, kind="ended")
    assert (ended.run_id, ended.source) == (instance.run_id, "cluster")
    look(cluster)  # the watcher of the next start
    instance.refresh_from_db()
    assert instance.state == "stopped"


def test_what_comes_up_is_paused_and_what_waits_in_line_waits_on(make_cluster, gpu_class, alice_in_acme):
    make_cluster(slots=1)
    starting, waiting = begin(alice_in_acme, gpu_class, "--never-listen"), begin(alice_in_acme, gpu_class)
    assert (starting.state, waiting.state) == ("starting", "queued")
    close(starting)
    waiting.refresh_from_db()
    assert (starting.state, starting.wish_reason) == ("stopped", "portal_stopped")
    assert (waiting.state, wishes(waiting)) == ("queued", [("launched", "alice")])


def test_an_engine_that_does_not_listen_is_forced(cluster, gpu_class, alice_in_acme):
    instance = close(launch(alice_in_acme, gpu_class, "--ignore-sigterm"), grace_seconds=0.5)
    assert (instance.state, instance.wish_reason) == ("stopped", "portal_stopped")
    assert get_cluster(cluster).observe(instance.workload).phase == "gone"


def test_what_had_failed_before_has_failed(cluster, gpu_class, alice_in_acme):
    instance = drive(begin(alice_in_acme, gpu_class, "--exit-after", "0", "--exit-code", "3"), "failed")
    assert (close(instance).state, instance.reason, instance.desired_state) == ("failed", "engine_exited", "running")


def test_who_asked_for_a_fresh_run_gets_it_with_the_next_start(cluster, gpu_class, alice_in_acme):
    instance = launch(alice_in_acme, gpu_class, "--ignore-sigterm")
    restart_instance(instance=instance, by=alice_in_acme)
    reconcile(instance.pk)
    instance.refresh_from_db()
    assert instance.state == "stopping"
    close(instance, grace_seconds=0.1)
    assert (instance.state, instance.desired_state) == ("stopped", "running")
    assert drive(instance, "running").reason == "ready"


def test_engines_that_end_without_the_portal_have_failed(cluster, gpu_class, alice_in_acme):
    instance = launch(alice_in_acme, gpu_class, "--greet", "hello")
    get_cluster(cluster).shutdown(grace_seconds=0)
    look(cluster)
    instance.refresh_from_db()
    assert (instance.state, instance.reason) == ("failed", "workload_vanished")
