"""A cluster whose nodes are divided: on premises first, its cloud pool within the tenant's policy, each slot once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from engines.bursting import burst, burst_overdue, overdue
from engines.capacity import record_capacity, slots_taken
from engines.clusters.base import ClassCapacity
from engines.errors import Unavailable
from engines.forms import GpuClassForm
from engines.models import Capacity, Instance, InstanceEvent, Volume
from engines.operations import instances
from engines.operations.placement import choose_place
from engines.pools import first_pool
from engines.queries.launching import Place, class_options
from engines.quotas import standing_of
from engines.reconcile import reconcile
from tests import factories
from tests.engines.test_races import together

POOLS = {"pools": {"onprem": {}, "cloud": {}}}


@pytest.fixture
def lab(gpu_class):
    """One slot on premises, two in the cloud; a row alone."""
    cluster = factories.make_cluster("/nowhere", slots=0, slug="lab", config=POOLS)
    record_capacity(cluster, [ClassCapacity("cpu-small", 1, pool="onprem"), ClassCapacity("cpu-small", 2, pool="cloud")])
    return cluster


@pytest.fixture
def bursting(acme):
    acme.may_burst = True
    acme.save()
    return acme


def waiting(tenant, owner, cluster, *, seconds=60, **fields):
    fields = {"state": "queued", "pool": "onprem"} | fields
    since = timezone.now() - timedelta(seconds=seconds)
    return factories.make_instance(tenant, owner, cluster, queued_at=since, state_since=since, **fields)


def where(instance):
    instance.refresh_from_db()
    return instance.pool


def has_data(tenant, owner, cluster):
    return factories.make_volume(tenant, owner, cluster, provisioned_at=timezone.now())


# --- Counting -----------------------------------------------------------------------------------------------------------


def test_each_pool_has_a_row_and_one_that_is_no_longer_there_has_no_slots(lab):
    assert set(Capacity.objects.values_list("pool", "slots")) == {("", 0), ("onprem", 1), ("cloud", 2)}
    record_capacity(lab, [ClassCapacity("cpu-small", 3)])
    assert set(Capacity.objects.values_list("pool", "slots")) == {("", 3), ("onprem", 0), ("cloud", 0)}


def test_what_was_placed_in_no_pool_counts_in_each_and_all_count_where_there_are_none(acme, alice, lab):
    for pool in ("", "onprem", "cloud", "cloud"):
        factories.make_instance(acme, alice, lab, state="running", pool=pool)
    taken = dict(Capacity.objects.annotate(taken=slots_taken()).values_list("pool", "taken"))
    assert taken == {"": 4, "onprem": 2, "cloud": 3}
    for pool, count in taken.items():
        there = {"cluster_id": lab.pk, "gpu_class_id": Capacity.objects.first().gpu_class_id, "pool": pool}
        assert Instance.objects.holding(**there).count() == count


# --- Choosing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("may_burst", "patience", "taken", "expected"),
    [(False, 45, 0, "onprem"), (False, 0, 1, "onprem"), (True, 45, 1, "onprem"), (True, 0, 0, "onprem"), (True, 0, 1, "cloud")],
)
def test_on_premises_first(*, acme, alice, engine_version, gpu_class, lab, may_burst, patience, taken, expected):
    acme.may_burst, acme.burst_after_seconds = may_burst, patience
    for _ in range(taken):
        factories.make_instance(acme, alice, lab, state="running", pool="onprem")
    assert choose_place(engine_version, gpu_class, tenant=acme).pool == expected


def test_a_class_that_only_the_cloud_pool_has(acme, engine_version, gpu_class, lab):
    Capacity.objects.filter(pool="onprem").update(slots=0)
    with pytest.raises(Unavailable, match=r"^cpu-small is in the cloud, which Acme Studio may not use\."):
        choose_place(engine_version, gpu_class, tenant=acme)
    acme.may_burst = True
    assert choose_place(engine_version, gpu_class, tenant=acme).pool == "cloud"


def test_kept_data_is_attached_in_the_pool_where_it_was_used_last(alice, alice_in_acme, bursting, engine_version, gpu_class, lab):
    volume = has_data(bursting, alice, lab)
    factories.make_instance(bursting, alice, lab, volume=volume, state="deleted", pool="cloud")
    launch = {"membership": alice_in_acme, "engine_version": engine_version, "gpu_class": gpu_class}
    assert instances.launch_instance(**launch, name="Old", volume=volume).pool == "cloud"
    assert instances.launch_instance(**launch, name="New").pool == "onprem"


def test_another_class_is_one_of_the_pool_where_the_data_is(alice, alice_in_acme, bursting, lab):
    large, remote = factories.make_gpu_class("large"), factories.make_gpu_class("remote")
    for gpu_class, pool in [(large, "onprem"), (remote, "cloud")]:
        Capacity.objects.create(cluster=lab, gpu_class=gpu_class, pool=pool, slots=1)
    rest = {"state": "stopped", "desired_state": "stopped", "pool": "onprem"}
    bound = factories.make_instance(bursting, alice, lab, volume=has_data(bursting, alice, lab), **rest)
    free = factories.make_instance(bursting, alice, lab, **rest)
    assert [
        list(GpuClassForm(instance=each).fields["gpu_class"].queryset.values_list("slug", flat=True)) for each in (bound, free)
    ] == [
        ["cpu-small", "large"],
        ["cpu-small", "large", "remote"],
    ]
    with pytest.raises(Unavailable, match=r"^There is no remote for "):
        instances.change_gpu_class(instance=bound, by=alice_in_acme, gpu_class=remote)
    instances.change_gpu_class(instance=bound, by=alice_in_acme, gpu_class=large)
    instances.change_gpu_class(instance=free, by=alice_in_acme, gpu_class=remote)
    assert (where(bound), where(free)) == ("onprem", "cloud")


# --- Admission ----------------------------------------------------------------------------------------------------------


def test_a_slot_of_one_pool_is_no_slot_of_the_other(acme, alice, lab):
    Capacity.objects.filter(pool="onprem").update(slots=0)
    instance = waiting(acme, alice, lab)
    reconcile(instance.pk)
    instance.refresh_from_db()
    assert (instance.state, instance.reason, instance.pool) == ("queued", "no_capacity", "onprem")


@pytest.mark.parametrize(("before", "config", "after"), [("", POOLS, "onprem"), ("cloud", {}, "")])
def test_what_lined_up_before_the_nodes_were_divided_or_while_they_were_is_placed(*, acme, alice, lab, before, config, after):
    lab.config = {"root": "/nowhere"} | config
    lab.save()
    Capacity.objects.all().update(slots=0)
    instance = waiting(acme, alice, lab, pool=before)
    reconcile(instance.pk)
    assert (where(instance), instance.state) == (after, "queued")


@pytest.mark.parametrize(("may_burst", "expected"), [(False, "onprem"), (True, "cloud")])
def test_only_who_may_use_the_cloud_is_placed_there(acme, alice, lab, may_burst, expected):
    acme.may_burst = may_burst
    acme.save()
    Capacity.objects.filter(pool="onprem").update(slots=0)
    assert first_pool(waiting(acme, alice, lab, pool="")) == expected


# --- Moving -------------------------------------------------------------------------------------------------------------


def test_a_launch_that_waited_long_enough_moves_to_the_cloud_pool_as_a_newer_wish(alice, bursting, lab):
    instance = waiting(bursting, alice, lab)
    volume = Volume.objects.values().get()
    assert burst(instance).pool == "cloud"
    instance.refresh_from_db()
    assert (instance.cluster, instance.pool, instance.state, instance.generation, instance.reason) == (
        lab,
        "cloud",
        "queued",
        2,
        "burst",
    )
    [event] = InstanceEvent.objects.all()
    assert (event.kind, event.reason, event.evidence, event.generation) == ("wish", "burst", "lab/onprem → lab/cloud", 2)
    assert Volume.objects.values().get() == volume


def test_the_sweep_moves_what_is_overdue_and_nothing_else(acme, alice, bolt, bob, bursting, lab):
    Capacity.objects.filter(pool="cloud").update(slots=9)
    moved = [
        waiting(bursting, alice, lab),
        waiting(bursting, alice, lab, state="provisioning", reason="no_capacity"),
        waiting(bursting, alice, lab, state="provisioning", reason="nodes_full"),
    ]
    others = [
        waiting(bursting, alice, lab, seconds=30),
        waiting(bolt, bob, lab),
        waiting(bolt, bob, lab, state="provisioning", reason="no_capacity"),
        waiting(bursting, alice, lab, desired_state="stopped"),
        waiting(bursting, alice, lab, state="provisioning", reason="no_capacity", seconds=30),
        waiting(bursting, alice, lab, state="provisioning", reason="image_pulling"),
        waiting(bursting, alice, lab, state="provisioning", reason="adding_node"),
        waiting(bursting, alice, lab, state="starting", reason="no_capacity"),
    ]
    burst_overdue()
    assert [where(each) for each in moved] == ["cloud"] * 3
    assert [where(each) for each in others] == ["onprem"] * 8
    assert InstanceEvent.objects.filter(kind="wish").count() == 3


def test_what_the_cluster_finds_no_machine_for_is_stopped_before_it_starts_elsewhere(alice, bursting, lab):
    instance = waiting(bursting, alice, lab, state="provisioning", reason="no_capacity", applied_generation=1)
    burst(instance)
    instance.refresh_from_db()
    assert (instance.state, instance.pool, instance.reason, instance.generation) == ("stopping", "cloud", "burst", 2)
    assert (instance.applied_generation, instance.stop_epoch) == (1, 1)


def test_what_is_in_the_cloud_pool_moves_no_further(alice, bursting, lab):
    waiting(bursting, alice, lab, pool="cloud")
    factories.make_cluster("/nowhere", slug="remote", location="cloud")
    assert not overdue().exists()


def test_data_leaves_its_cluster_for_no_other(alice, bursting, lab):
    Capacity.objects.filter(pool="cloud").update(slots=0)
    factories.make_cluster("/nowhere", slug="remote", location="cloud")
    bound, free = waiting(bursting, alice, lab, volume=has_data(bursting, alice, lab)), waiting(bursting, alice, lab)
    assert burst(bound) is None
    assert burst(free).cluster.slug == "remote"
    assert where(free) == ""


@pytest.mark.parametrize("state", ["running", "queued"])
def test_it_waits_on_where_every_slot_of_the_cloud_pool_is_taken_or_waited_for(alice, bursting, lab, state):
    instance = waiting(bursting, alice, lab)
    for _ in range(2):
        factories.make_instance(bursting, alice, lab, state=state, pool="cloud")
    assert burst(instance) is None
    assert (where(instance), instance.generation) == ("onprem", 1)


@pytest.mark.parametrize("changes", [{"state": "starting"}, {"generation": 2}, {"desired_state": "stopped"}, {"pool": "cloud"}])
def test_what_changed_since_it_was_read_is_left_alone(alice, bursting, lab, changes):
    instance = waiting(bursting, alice, lab)
    Instance.objects.filter(pk=instance.pk).update(**changes)
    assert burst(instance) is None
    assert where(instance) == changes.get("pool", "onprem")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(5))
def test_many_moves_and_admissions_at_once_give_each_slot_once(attempt, bursting, alice, lab):
    version = factories.make_engine_version("--never-listen", command=["/bin/sleep", "60"])
    held = factories.make_instance(bursting, alice, lab, state="running", pool="onprem")
    rows = [waiting(bursting, alice, lab, engine_version=version) for _ in range(4)]
    together(lambda number: burst(rows[number // 2]))
    assert Instance.objects.filter(pool="cloud").count() == 2
    assert InstanceEvent.objects.filter(reason="burst").count() == 2
    assert where(held) == "onprem"


# --- The launch page ----------------------------------------------------------------------------------------------------


def test_the_offer_tells_the_pools_apart(alice, alice_in_acme, bursting, engine_version, lab):
    factories.make_instance(bursting, alice, lab, state="running", pool="onprem")
    alice_in_acme.refresh_from_db()
    [offer] = class_options(standing_of(alice_in_acme.tenant, alice_in_acme.user), engine_version, None)
    assert offer.places == [Place("onprem", 1, 0), Place("cloud", 2, 2)]
    assert (offer.burst_seconds, offer.is_apart) == (45, True)


def test_who_may_not_use_the_cloud_is_offered_the_pool_on_premises_alone(alice_in_acme, engine_version, lab):
    [offer] = class_options(standing_of(alice_in_acme.tenant, alice_in_acme.user), engine_version, None)
    assert (offer.places, offer.burst_seconds) == ([Place("onprem", 1, 1)], None)
    Capacity.objects.filter(pool="onprem").update(slots=0)
    [offer] = class_options(standing_of(alice_in_acme.tenant, alice_in_acme.user), engine_version, None)
    assert (offer.places, offer.refusal) == ([], "Only in the cloud, which your team may not use.")


def test_an_instances_page_says_which_pool(client, alice, bursting, lab):
    instance = factories.make_instance(bursting, alice, lab, state="running", pool="cloud")
    client.force_login(alice)
    assert "<dd>lab, cloud</dd>" in client.get(f"/acme/instances/{instance.slug}/?tab=overview").content.decode()


def test_kept_data_is_offered_the_pool_where_it_is(alice, alice_in_acme, bursting, engine_version, lab):
    volume = has_data(bursting, alice, lab)
    factories.make_instance(bursting, alice, lab, volume=volume, state="deleted", pool="onprem")
    alice_in_acme.refresh_from_db()
    [offer] = class_options(standing_of(alice_in_acme.tenant, alice_in_acme.user), engine_version, volume)
    assert (offer.places, offer.burst_seconds) == ([Place("onprem", 1, 1)], None)
    Capacity.objects.filter(pool="onprem").update(slots=0)
    [offer] = class_options(standing_of(alice_in_acme.tenant, alice_in_acme.user), engine_version, volume)
    assert offer.refusal == "Not in the part of lab where the data is."
