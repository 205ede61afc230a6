"""Where launches go: on premises first, the cloud within the tenant's policy, and shared cards to one tenant at a time."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from engines.bursting import burst, burst_overdue, overdue
from engines.errors import Unavailable
from engines.models import Capacity, Cluster, GpuClass, Instance, InstanceEvent, Volume
from engines.operations import instances
from engines.operations.placement import choose_place
from engines.reconcile import reconcile
from engines.sweeping import sweep
from tests import factories
from tests.engines.test_races import together


def make_place(**fields):
    """A cluster that is a row alone."""
    return factories.make_cluster("/nowhere", **fields)


@pytest.fixture
def here(gpu_class):
    return make_place(slots=1, slug="here")


@pytest.fixture
def cloud(gpu_class):
    return make_place(slots=2, slug="cloud", location="cloud")


@pytest.fixture
def bursting(acme):
    """Acme may use the cloud after 45 seconds."""
    acme.may_burst = True
    acme.save()
    return acme


def waiting(tenant, owner, cluster, *, seconds=60, **fields):
    queued_at = timezone.now() - timedelta(seconds=seconds)
    return factories.make_instance(tenant, owner, cluster, state="queued", queued_at=queued_at, **fields)


def place(instance):
    instance.refresh_from_db()
    instance.volume.refresh_from_db()
    assert instance.volume.cluster_id == instance.cluster_id
    return Cluster.objects.get(pk=instance.cluster_id).slug


# --- Choosing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("may_burst", "patience", "taken_here", "expected"),
    [
        (False, 45, 0, "here"),
        (False, 45, 1, "here"),
        (True, 45, 0, "here"),
        (True, 45, 1, "here"),  # it waits first
        (True, 0, 0, "here"),
        (True, 0, 1, "cloud"),
        (False, 0, 1, "here"),
    ],
)
def test_on_premises_first(*, acme, alice, engine_version, gpu_class, here, cloud, may_burst, patience, taken_here, expected):
    acme.may_burst, acme.burst_after_seconds = may_burst, patience
    for _ in range(taken_here):
        factories.make_instance(acme, alice, here, state="running")
    assert choose_place(engine_version, gpu_class, tenant=acme).cluster.slug == expected


def test_among_clusters_on_premises_the_one_with_most_free_slots(acme, engine_version, gpu_class, here, cloud):
    make_place(slots=3, slug="larger")
    assert choose_place(engine_version, gpu_class, tenant=acme).cluster.slug == "larger"


def test_a_cluster_that_fell_silent_comes_after_one_that_is_watched(acme, engine_version, gpu_class, here):
    make_place(slots=8, slug="silent", watched_at=timezone.now() - 2 * Cluster.SILENT_AFTER)
    assert choose_place(engine_version, gpu_class, tenant=acme).cluster.slug == "here"


def test_a_class_that_only_a_cloud_has(acme, engine_version, gpu_class, cloud):
    with pytest.raises(
        Unavailable, match=r"^cpu-small is in the cloud, which Acme Studio may not use\. Choose another GPU class\.$"
    ):
        choose_place(engine_version, gpu_class, tenant=acme)
    acme.may_burst = True
    assert choose_place(engine_version, gpu_class, tenant=acme).cluster == cloud


def test_data_in_the_cloud_is_attached_there_or_not_at_all(
    *, alice, alice_in_acme, bursting, engine_version, gpu_class, here, cloud
):
    volume = factories.make_volume(bursting, alice, cloud)
    launch = {"membership": alice_in_acme, "engine_version": engine_version, "gpu_class": gpu_class, "volume": volume}
    instance = instances.launch_instance(**launch, name="One")
    assert place(instance) == "cloud"
    Instance.objects.update(state="deleted")
    bursting.may_burst = False
    bursting.save()
    with pytest.raises(Unavailable, match="may not use"):
        instances.launch_instance(**launch, name="Two")


# --- Moving -------------------------------------------------------------------------------------------------------------


def test_a_launch_that_waited_long_enough_moves_with_its_volume(alice, bursting, here, cloud):
    instance = waiting(bursting, alice, here)
    assert burst(instance).cluster == cloud
    assert place(instance) == "cloud"
    assert (instance.state, instance.desired_state, instance.generation, instance.reason) == ("queued", "running", 2, "burst")
    [event] = InstanceEvent.objects.all()
    assert (event.kind, event.reason, event.evidence, event.generation) == ("wish", "burst", "here → cloud", 2)
    assert event.actor is None


def test_the_sweep_moves_what_is_overdue_and_nothing_else(*, acme, alice, bolt, bob, bursting, here, cloud):
    bolt.burst_after_seconds = 0
    bolt.save()
    overdue_one = waiting(bursting, alice, here, name="overdue")
    others = [
        waiting(bursting, alice, here, seconds=30, name="not yet"),
        waiting(bolt, bob, here, name="may not"),
        waiting(bursting, alice, here, name="not wished any more", desired_state="stopped"),
        factories.make_instance(bursting, alice, here, name="runs", state="running"),
        waiting(
            bursting,
            alice,
            here,
            name="has data",
            volume=factories.make_volume(bursting, alice, here, provisioned_at=timezone.now()),
        ),
    ]
    burst_overdue()
    assert place(overdue_one) == "cloud"
    assert {place(each) for each in others} == {"here"}
    assert InstanceEvent.objects.count() == 1


def test_a_suspended_tenant_moves_nowhere(alice, bursting, here, cloud):
    waiting(bursting, alice, here)
    bursting.suspended_at = timezone.now()
    bursting.save()
    assert not overdue().exists()


@pytest.mark.parametrize("state", ["running", "queued"])
def test_it_waits_on_where_every_slot_of_the_cloud_is_taken_or_waited_for(alice, bursting, here, cloud, state):
    instance = waiting(bursting, alice, here)
    for _ in range(2):
        factories.make_instance(bursting, alice, cloud, state=state)
    assert burst(instance) is None
    assert place(instance) == "here"
    assert instance.generation == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"enabled": False},
        {"kind": "kubernetes"},
        {"watched_at": timezone.now() - 2 * Cluster.SILENT_AFTER},
        {"location": "onprem"},
    ],
    ids=["disabled", "another kind", "silent", "no cloud"],
)
def test_it_waits_on_where_no_cloud_would_do(alice, bursting, here, cloud, changes):
    instance = waiting(bursting, alice, here)
    Cluster.objects.filter(pk=cloud.pk).update(**changes)
    assert burst(instance) is None
    assert place(instance) == "here"


def test_it_waits_on_where_no_cloud_has_the_class(alice, bursting, here, cloud):
    instance = waiting(bursting, alice, here)
    Capacity.objects.filter(cluster=cloud).update(slots=0)
    assert burst(instance) is None
    assert place(instance) == "here"


def test_the_volumes_namespace_is_that_of_the_new_cluster(alice, bursting, here, gpu_class):
    version = factories.make_engine_version(image="registry.example.org/engine:1", command=[])
    remote = Cluster.objects.create(
        slug="remote", name="Remote", kind="kubernetes", location="cloud", config={"namespace_prefix": "burst-"}
    )
    Capacity.objects.create(cluster=remote, gpu_class=gpu_class, slots=1)
    instance = waiting(bursting, alice, here, engine_version=version)
    assert burst(instance).cluster == remote
    assert Volume.objects.get().namespace == "burst-acme"


@pytest.mark.parametrize("changes", [{"state": "provisioning"}, {"generation": 2}, {"desired_state": "stopped"}])
def test_what_changed_since_it_was_read_is_left_alone(alice, bursting, here, cloud, changes):
    instance = waiting(bursting, alice, here)
    Instance.objects.filter(pk=instance.pk).update(**changes)
    assert burst(instance) is None
    assert place(instance) == "here"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(5))
def test_admission_and_move_at_once_never_part_the_instance_from_its_volume(attempt, bursting, alice, gpu_class, make_cluster):
    here = make_cluster(slots=4)
    cloud = make_cluster(slots=4, location="cloud")
    version = factories.make_engine_version("--never-listen", command=["/bin/sleep", "60"])
    rows = [waiting(bursting, alice, here, engine_version=version) for _ in range(4)]
    together(lambda number: (reconcile if number % 2 else burst)(rows[number // 2].pk if number % 2 else rows[number // 2]))
    for row in rows:
        reconcile(row.pk)
        row.refresh_from_db()
        assert row.volume.cluster_id == row.cluster_id
        assert row.state != "queued"
        assert row.state != "failed"
        held_at = Instance.objects.get(pk=row.pk).events.filter(reason="admitted").count()
        assert held_at == 1
    moved = Instance.objects.filter(cluster=cloud).count()
    assert InstanceEvent.objects.filter(reason="burst").count() == moved


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(5))
def test_many_moves_at_once_take_each_free_slot_once(attempt, bursting, alice, here, cloud):
    rows = [waiting(bursting, alice, here) for _ in range(8)]
    moved = together(lambda number: burst(rows[number]))
    assert sum(each is not None for each in moved) == 2
    assert Instance.objects.filter(cluster=cloud).count() == Volume.objects.filter(cluster=cloud).count() == 2


def test_the_sweep_moves_it_without_anybody_asking(alice, bursting, gpu_class, make_cluster):
    here, cloud = make_cluster(slots=1), make_cluster(slots=1, location="cloud")
    factories.make_instance(bursting, alice, here, state="provisioning", deadline_at=timezone.now() + timedelta(hours=1))
    instance = waiting(bursting, alice, here)
    sweep()
    instance.refresh_from_db()
    assert instance.cluster == cloud


# --- Shared cards -------------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(gpu_class):
    GpuClass.objects.filter(pk=gpu_class.pk).update(sharing="time-slicing", name="T4 by turns")
    gpu_class.refresh_from_db()
    return gpu_class


@pytest.fixture
def place_with_turns(shared):
    return make_place(slots=8, slug="turns")


REFUSED = r"^Another team uses T4 by turns now, and its memory is shared\. Choose another GPU class, or try again later\.$"


def launch(membership, version, gpu_class, name="Dragon"):
    return instances.launch_instance(membership=membership, engine_version=version, gpu_class=gpu_class, name=name)


@pytest.mark.parametrize("state", ["queued", "provisioning", "starting", "running", "stopping"])
def test_shared_cards_are_refused_while_another_tenant_has_them(
    *, acme, alice, alice_in_acme, bolt, bob, engine_version, shared, place_with_turns, state
):
    theirs = factories.make_instance(bolt, bob, place_with_turns, state=state)
    with pytest.raises(Unavailable, match=REFUSED):
        launch(alice_in_acme, engine_version, shared)
    mine = factories.make_instance(acme, alice, place_with_turns, state="stopped", desired_state="stopped")
    with pytest.raises(Unavailable, match=REFUSED):
        instances.resume_instance(instance=mine, by=alice_in_acme)
    mine.refresh_from_db()
    assert (mine.desired_state, mine.generation) == ("stopped", 1)
    Instance.objects.filter(pk=theirs.pk).update(state="stopped", desired_state="stopped")
    instances.resume_instance(instance=mine, by=alice_in_acme)
    launch(alice_in_acme, engine_version, shared)


def test_another_time_sliced_class_may_be_the_same_cards(alice_in_acme, bolt, bob, engine_version, shared, place_with_turns):
    other = factories.make_gpu_class("other-turns", sharing="time-slicing")
    Capacity.objects.create(cluster=place_with_turns, gpu_class=other, slots=4)
    factories.make_instance(bolt, bob, place_with_turns, gpu_class=other, state="running")
    with pytest.raises(Unavailable, match=REFUSED):
        launch(alice_in_acme, engine_version, shared)


def test_whole_cards_are_nobody_elses_business(alice_in_acme, bolt, bob, engine_version, shared, place_with_turns):
    whole = factories.make_gpu_class("whole")
    Capacity.objects.create(cluster=place_with_turns, gpu_class=whole, slots=4)
    factories.make_instance(bolt, bob, place_with_turns, state="running")
    assert launch(alice_in_acme, engine_version, whole).cluster == place_with_turns


def test_the_same_tenant_shares_with_itself(alice_in_acme, engine_version, shared, place_with_turns):
    launch(alice_in_acme, engine_version, shared, "One")
    launch(alice_in_acme, engine_version, shared, "Two")
    assert Instance.objects.count() == 2


def test_a_launch_goes_to_another_cluster_where_they_are_free(alice_in_acme, bolt, bob, engine_version, shared, place_with_turns):
    factories.make_instance(bolt, bob, place_with_turns, state="running")
    free = make_place(slots=1, slug="free-turns")
    assert launch(alice_in_acme, engine_version, shared).cluster == free


def test_changing_to_a_shared_class_is_refused_too(*, acme, alice, alice_in_acme, bolt, bob, shared, place_with_turns):
    whole = factories.make_gpu_class("whole")
    factories.make_instance(bolt, bob, place_with_turns, state="running")
    mine = factories.make_instance(acme, alice, place_with_turns, gpu_class=whole, state="queued")
    with pytest.raises(Unavailable, match=REFUSED):
        instances.change_gpu_class(instance=mine, by=alice_in_acme, gpu_class=shared)


def test_what_changed_meanwhile_waits_at_admission(acme, alice, bolt, bob, gpu_class, here):
    """Both were launched while the class promised whole cards."""
    Capacity.objects.update(slots=8)
    theirs = factories.make_instance(bolt, bob, here, state="running")
    mine = waiting(acme, alice, here)
    GpuClass.objects.update(sharing="time-slicing")
    reconcile(mine.pk)
    mine.refresh_from_db()
    assert (mine.state, mine.reason) == ("queued", "shared_gpu_taken")
    assert theirs.state == "running"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(10))
def test_two_tenants_at_once_never_both_get_them(attempt, alice_in_acme, bob_in_bolt, engine_version, shared, place_with_turns):
    who = [alice_in_acme, bob_in_bolt]
    results = together(lambda number: launch(who[number % 2], engine_version, shared, f"Dragon {number}"))
    assert Instance.objects.values("tenant").distinct().count() == 1
    assert sum(isinstance(result, Unavailable) for result in results) == 4
    assert Instance.objects.count() == 4


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(5))
def test_resuming_at_once_never_gives_them_to_both(
    *, attempt, acme, alice, alice_in_acme, bolt, bob, bob_in_bolt, shared, place_with_turns
):
    rest = {"state": "stopped", "desired_state": "stopped"}
    rows = [
        (factories.make_instance(*who, place_with_turns, **rest), by)
        for who, by in [((acme, alice), alice_in_acme), ((bolt, bob), bob_in_bolt)] * 4
    ]
    together(lambda number: instances.resume_instance(instance=rows[number][0], by=rows[number][1]))
    assert Instance.objects.filter(desired_state="running").values("tenant").distinct().count() == 1


@pytest.mark.django_db(transaction=True)
def test_resume_and_admission_at_once_do_not_lock_each_other_out(acme, alice, alice_in_acme, shared, make_cluster):
    factories.cap(acme, running=20)
    cluster = make_cluster(slots=8, gpu_class=shared)
    version = factories.make_engine_version("--never-listen", command=["/bin/sleep", "60"])
    rows = [
        factories.make_instance(acme, alice, cluster, state="failed", settled_generation=1, engine_version=version)
        for _ in range(4)
    ]

    def act(number):
        row = rows[number // 2]
        return reconcile(row.pk) if number % 2 else instances.resume_instance(instance=row, by=alice_in_acme)

    together(act)
    connection.close()
    assert Instance.objects.filter(generation=2).count() == 4
