"""Many at once, on real transactions: quota, slots and wishes hold."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from engines.errors import NameTaken
from engines.models import Instance, RunFact, Volume
from engines.operations import instances, volumes
from engines.reconcile import reconcile
from engines.states import HOLDS_GPU
from tenants.errors import PortalError
from tenants.quotas.refusal import LimitReached
from tests import factories
from tests.driving import look
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 8


def together(call, count=AT_ONCE):
    """Run `call(number)` in as many threads, released at one moment; return results or PortalErrors."""
    barrier = threading.Barrier(count)

    def one(number):
        try:
            barrier.wait()
            return call(number)
        except PortalError as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def launch(membership, version, gpu_class, number):
    return instances.launch_instance(membership=membership, engine_version=version, gpu_class=gpu_class, name=f"Dragon {number}")


@pytest.mark.parametrize("attempt", range(5))
def test_simultaneous_launches_never_exceed_the_quota(attempt, acme, alice_in_acme, engine_version, gpu_class, cluster):
    factories.cap(acme, running=1)
    results = together(lambda number: launch(alice_in_acme, engine_version, gpu_class, number))
    assert Counter(type(result) for result in results) == {Instance: 1, LimitReached: AT_ONCE - 1}
    assert Instance.objects.count() == Volume.objects.count() == 1


@pytest.mark.parametrize("attempt", range(50))
def test_simultaneous_launches_against_one_slot_admit_exactly_one(attempt, acme, alice_in_acme, gpu_class, make_cluster):
    """Admission alone, fifty times; with real engines below."""
    make_cluster(slots=1)
    factories.cap(acme, running=AT_ONCE)
    version = factories.make_engine_version("--never-listen", command=["/bin/sleep", "60"])

    def launch_and_reconcile(number):
        instance = launch(alice_in_acme, version, gpu_class, number)
        reconcile(instance.pk)
        return instance

    together(launch_and_reconcile)
    # Somebody later in the queue may have looked before somebody earlier was there: a second look admits at most the first.
    for instance in Instance.objects.filter(state="queued"):
        reconcile(instance.pk)
    states = Counter("holding" if state in HOLDS_GPU else state for state in Instance.objects.values_list("state", flat=True))
    assert states == {"holding": 1, "queued": AT_ONCE - 1}


def test_simultaneous_launches_against_one_slot_start_exactly_one_engine(
    acme, alice_in_acme, gpu_class, engine_version, make_cluster
):
    cluster = make_cluster(slots=1)
    factories.cap(acme, running=AT_ONCE)
    launched = together(lambda number: launch(alice_in_acme, engine_version, gpu_class, number))
    together(lambda number: reconcile(launched[number].pk))

    def one_runs():
        for instance in launched:
            reconcile(instance.pk)
        look(cluster)
        return Instance.objects.filter(state="running").exists()

    wait_until(one_runs)
    states = Counter(Instance.objects.values_list("state", flat=True))
    assert states == {"running": 1, "queued": AT_ONCE - 1}


def test_the_same_instance_reconciled_by_many_runs_once(acme, alice_in_acme, gpu_class, engine_version, cluster):
    instance = launch(alice_in_acme, engine_version, gpu_class, 1)
    together(lambda _: reconcile(instance.pk))
    wait_until(lambda: look(cluster) or Instance.objects.get().state == "running")
    moves = list(instance.events.filter(kind="transition").values_list("new_state", flat=True))
    assert moves == ["provisioning", "starting", "running"]


def test_wishes_at_once_are_one_after_the_other(acme, alice_in_acme, gpu_class, engine_version, cluster):
    instance = launch(alice_in_acme, engine_version, gpu_class, 1)
    operations = [instances.pause_instance, instances.resume_instance] * (AT_ONCE // 2)
    together(lambda number: operations[number](instance=instance, by=alice_in_acme))
    instance.refresh_from_db()
    wishes = list(instance.events.filter(kind="wish").order_by("generation").values_list("generation", "reason"))
    assert [generation for generation, _ in wishes] == list(range(1, instance.generation + 1))
    reasons = [reason for _, reason in wishes[1:]]
    assert reasons == ["paused", "resumed"] * (len(reasons) // 2) + ["paused"] * (len(reasons) % 2)


def test_a_wish_and_an_observation_at_once_do_not_lock_each_other_out(
    acme, alice, alice_in_acme, gpu_class, engine_version, cluster
):
    """A wish locks tenant, then instance; an observation locks the instance, and needs the tenant for its facts at commit."""
    instance = factories.make_instance(acme, alice, cluster, state="stopped", desired_state="stopped")
    wish = ThreadPoolExecutor(1)
    try:
        with transaction.atomic():
            Instance.objects.filter(pk=instance.pk).update(evidence="seen")
            fact = {
                "instance": instance,
                "tenant": acme,
                "owner": alice,
                "gpu_class": gpu_class,
                "engine_version": engine_version,
            }
            moment = timezone.now()
            RunFact.objects.create(run_id="run", kind="seen", source="cluster", at=moment, observed_at=moment, **fact)
            asked = wish.submit(resume_elsewhere, instance, alice_in_acme)
            wait_until(somebody_waits_for_a_lock)
        asked.result()
    finally:
        wish.shutdown()
    instance.refresh_from_db()
    assert (instance.desired_state, instance.evidence) == ("running", "seen")


def resume_elsewhere(instance, membership):
    """On a connection of the thread's own."""
    try:
        instances.resume_instance(instance=instance, by=membership)
    finally:
        connection.close()


def somebody_waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return cursor.fetchone()[0] > 0


@pytest.mark.parametrize("attempt", range(5))
def test_namesakes_restored_at_once_are_not_both_back(attempt, acme, alice, alice_in_acme, cluster):
    trash = {"state": "trashed", "purge_at": timezone.now() + timedelta(days=1)}
    trashed = [factories.make_volume(acme, alice, cluster, name="Dragon", **trash) for _ in range(AT_ONCE)]
    results = together(lambda number: volumes.restore_volume(volume=trashed[number], by=alice_in_acme))
    assert Counter(type(result) for result in results) == {type(None): 1, NameTaken: AT_ONCE - 1}
    assert Volume.objects.filter(state="active").count() == 1
