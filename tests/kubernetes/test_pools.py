"""A cluster with machines on premises and in the cloud: where launches go, by what its nodes and volumes say."""

from datetime import timedelta

import pytest
from django.utils import timezone

from engines.bursting import burst, burst_overdue
from engines.capacity import record_capacity
from engines.clusters import get_cluster
from engines.clusters.base import GpuSpec, VolumeRef
from engines.clusters.kubernetes.nodes import fits
from engines.models import Capacity, GpuClass, Instance
from engines.operations import instances
from engines.reconcile import reconcile
from engines.states import HOLDS_GPU
from engines.workloads import gpu_spec
from tests import factories
from tests.engines.test_races import together
from tests.kubernetes.double import KubernetesDouble, node
from tests.kubernetes.living import RESOURCE, Living, make_class, make_row, make_version
from tests.kubernetes.scenes import namespace
from tests.waiting import wait_until

NAMESPACE = "aigc-t-acme"
POOL = "aigc-portal.io/pool"
POOLS = {"onprem": {}, "cloud": {}}


@pytest.fixture
def double():
    """A GPU on premises and one in the cloud, and a third on a node that is in no pool."""
    machines = [
        node("hall-1", {RESOURCE: 1}, {POOL: "onprem", "zone": "hall"}),
        node("cloud-1", {RESOURCE: 1}, {POOL: "cloud", "zone": "far"}),
        node("other-1", {RESOURCE: 1}),
    ]
    with KubernetesDouble(speed=20, nodes=machines) as double:
        double.load([namespace()])
        yield double


@pytest.fixture
def living(db, double, tmp_path):
    row = make_row(double.kubeconfig(tmp_path / "kubeconfig"), slots=0, pools=POOLS)
    living = Living(double, row)
    count(living)
    yield living
    living.close()


def count(living):
    """What the watcher does once a minute."""
    record_capacity(living.row, get_cluster(living.row).capacity([gpu_spec(each) for each in GpuClass.objects.all()]))


@pytest.fixture
def bursting(acme):
    acme.may_burst, acme.burst_after_seconds = True, 1
    acme.save()
    return acme


@pytest.fixture
def launch(alice_in_acme):
    def run(name="Dragon"):
        return instances.launch_instance(
            membership=alice_in_acme, engine_version=make_version(), gpu_class=make_class(), name=name
        )

    return run


def machine(living, instance):
    return (living.pod(instance) or {"spec": {}})["spec"].get("nodeName")


def wait_long(instance):
    """Let an hour of waiting be over."""
    long_ago = timezone.now() - timedelta(hours=1)
    Instance.objects.filter(pk=instance.pk).update(queued_at=long_ago, state_since=long_ago)


def sweep_until(living, instance, condition):
    """Go on as a worker, the watcher and the sweep do."""

    def holds():
        burst_overdue()
        living.step(instance)
        return condition()

    wait_until(holds)


def reasons(instance):
    return list(instance.events.values_list("reason", flat=True))


def affine_to(zone):
    """A merge patch that binds a PersistentVolume to a zone."""
    term = {"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]}
    return {"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}}}


def bind_data(living, instance, zone):
    claim = living.double.get("persistentvolumeclaims", NAMESPACE, instance.volume.ref.name)
    living.double.merge("persistentvolumes", "", claim["spec"]["volumeName"], affine_to(zone))


def occupy(living, machine_name):
    """Put another's Pod on the machine's GPU, of which the last count knows nothing."""
    container = {"name": "main", "image": "double/sleep", "resources": {"limits": {RESOURCE: "1"}}}
    spec = {"nodeSelector": {"kubernetes.io/hostname": machine_name}, "containers": [container]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "theirs", "namespace": "default"}, "spec": spec}
    living.double.load([pod])
    wait_until(lambda: living.double.get("pods", "default", "theirs")["spec"].get("nodeName"))


# --- What there is ------------------------------------------------------------------------------------------------------


def test_slots_are_counted_pool_by_pool(living):
    assert set(Capacity.objects.exclude(slots=0).values_list("pool", "slots")) == {("onprem", 1), ("cloud", 1)}
    adapter = get_cluster(living.row)
    cpu = [(each.pool, each.total > 0) for each in adapter.capacity([GpuSpec("cpu")])]
    assert cpu == [("onprem", True), ("cloud", True)]


def test_slots_by_policy_are_of_the_pool_that_they_name(make_adapter):
    adapter = make_adapter(pools=POOLS, slots={"cloud/rtx": 8})
    rtx = GpuSpec("rtx", vendor="nvidia", resource=RESOURCE, count=1, ram_mib=256)
    assert [(each.pool, each.total) for each in adapter.capacity([rtx])] == [("onprem", 1), ("cloud", 8)]


@pytest.mark.parametrize(
    ("pools", "expected"),
    [
        (POOLS, (True, "onprem: 1 nodes, cloud: 1 nodes, in none: 1")),
        ({"onprem": {}, "cloud": {"zone": "moon"}}, (None, "onprem: 1 nodes, cloud: 0 nodes, in none: 2")),
    ],
)
def test_the_connection_test_counts_their_nodes(make_adapter, pools, expected):
    [found] = [each for each in make_adapter(pools=pools).inspect() if each.subject == "pools"]
    assert (found.ok, found.detail) == expected


# --- Where launches go --------------------------------------------------------------------------------------------------


def test_the_second_goes_to_the_cloud_after_a_wait_and_the_third_stays_in_line(living, launch, bursting, ask):
    first = living.drive(launch(), "running")
    assert (first.pool, machine(living, first)) == ("onprem", "hall-1")

    second = launch("Wolf")
    living.step(second)
    assert (second.state, second.reason, second.pool, living.replicas(second)) == ("queued", "no_capacity", "onprem", None)
    sweep_until(living, second, lambda: second.state == "running")
    assert (second.pool, machine(living, second)) == ("cloud", "cloud-1")
    assert reasons(second)[:3] == ["launched", "burst", "admitted"]

    third = launch("Fox")
    wait_long(third)
    for _ in range(5):
        burst_overdue()
        living.step(third)
    assert (third.state, third.pool, living.replicas(third)) == ("queued", "onprem", None)
    ask(instances.pause_instance, first)
    living.drive(first, "stopped")
    living.drive(third, "running")
    assert (third.pool, machine(living, third)) == ("onprem", "hall-1")
    assert len(living.double.objects("statefulsets")) == 3


def test_a_tenant_that_may_not_use_the_cloud_stays_in_line(living, launch):
    living.drive(launch(), "running")
    second = launch("Wolf")
    wait_long(second)
    for _ in range(5):
        burst_overdue()
        living.step(second)
    assert (second.state, second.reason, second.pool) == ("queued", "no_capacity", "onprem")
    assert (living.replicas(second), reasons(second)) == (None, ["launched"])


# --- What the count did not know ----------------------------------------------------------------------------------------


def test_what_the_scheduler_finds_no_machine_for_moves_as_well(living, launch, bursting):
    occupy(living, "hall-1")
    instance = launch()
    living.until(instance, lambda: instance.state == "provisioning" and instance.reason == "no_capacity")
    pending = living.pod(instance)["metadata"]["uid"]
    sweep_until(living, instance, lambda: instance.state == "running")
    assert (instance.pool, machine(living, instance)) == ("cloud", "cloud-1")
    assert living.pod(instance)["metadata"]["uid"] != pending
    assert instance.applied_generation == instance.generation == 2
    assert [each for each in reasons(instance) if each not in {"engine_starting", "ready"}] == [
        "launched", "admitted", "burst", "burst", "burst", "queued", "admitted",
    ]  # fmt: skip
    assert [each["metadata"]["name"] for each in living.double.objects("pods", NAMESPACE)] == [f"{instance.workload.name}-0"]
    assert len(living.double.objects("persistentvolumeclaims")) == 1


def test_a_pause_while_it_moves_wins(living, launch, bursting, ask):
    occupy(living, "hall-1")
    instance = launch()
    living.until(instance, lambda: instance.state == "provisioning" and instance.reason == "no_capacity")
    wait_long(instance)
    burst_overdue()
    ask(instances.pause_instance, instance)
    living.drive(instance, "stopped")
    for _ in range(5):
        living.step(instance)
    assert (instance.state, instance.reason, living.replicas(instance), living.pod(instance)) == ("stopped", "gone", 0, None)


def test_without_leave_it_waits_where_it_is(living, launch):
    occupy(living, "hall-1")
    instance = launch()
    living.until(instance, lambda: instance.state == "provisioning" and instance.reason == "no_capacity")
    wait_long(instance)
    burst_overdue()
    living.step(instance)
    assert (instance.state, instance.pool, instance.generation) == ("provisioning", "onprem", 1)


# --- Data ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def resumed_behind_another(living, launch, bursting, ask):
    """One with data, made on premises, that waits there behind another."""

    def make(zone=None):
        instance = living.drive(launch(), "running")
        if zone:
            bind_data(living, instance, zone)
        ask(instances.pause_instance, instance)
        living.drive(instance, "stopped")
        other = living.drive(launch("Wolf"), "running")
        ask(instances.resume_instance, instance)
        living.step(instance)
        assert (instance.state, instance.pool) == ("queued", "onprem")
        wait_long(instance)
        return instance, other

    return make


def test_data_that_lies_on_premises_is_never_moved_and_that_is_said(living, resumed_behind_another, ask):
    instance, other = resumed_behind_another("hall")
    for _ in range(5):
        burst_overdue()
        living.step(instance)
        assert (instance.state, instance.pool, instance.reason) == ("queued", "onprem", "volume_elsewhere")
    assert instance.volume.ref.name in instance.evidence
    assert instance.generation == 3
    ask(instances.pause_instance, other)
    living.drive(other, "stopped")
    living.drive(instance, "running")
    assert machine(living, instance) == "hall-1"


def test_data_that_any_node_can_mount_comes_along_and_goes_home_at_the_next_resume(living, resumed_behind_another, ask):
    instance, other = resumed_behind_another()
    sweep_until(living, instance, lambda: instance.state == "running")
    assert (instance.pool, machine(living, instance)) == ("cloud", "cloud-1")
    for each in (other, instance):
        ask(instances.pause_instance, each)
        living.drive(each, "stopped")
    ask(instances.resume_instance, instance)
    living.drive(instance, "running")
    assert (instance.pool, machine(living, instance)) == ("onprem", "hall-1")


def test_data_that_was_made_in_the_cloud_is_resumed_there_or_waits(living, launch, bursting, ask):
    first = living.drive(launch(), "running")
    second = launch("Wolf")
    sweep_until(living, second, lambda: second.state == "running")
    bind_data(living, second, "far")
    for each in (first, second):
        ask(instances.pause_instance, each)
        living.drive(each, "stopped")
    occupy(living, "cloud-1")
    count(living)
    ask(instances.resume_instance, second)
    living.step(second)
    assert (second.state, second.pool, second.reason) == ("queued", "cloud", "no_capacity")
    living.double.delete("pods", "default", "theirs")
    wait_until(lambda: living.double.get("pods", "default", "theirs") is None)
    count(living)
    living.drive(second, "running")
    assert (second.pool, machine(living, second)) == ("cloud", "cloud-1")


@pytest.mark.parametrize(
    ("requirement", "met"),
    [
        ({"key": "zone", "operator": "In", "values": ["hall", "yard"]}, True),
        ({"key": "zone", "operator": "In", "values": ["yard"]}, False),
        ({"key": "zone", "operator": "NotIn", "values": ["yard"]}, True),
        ({"key": "zone", "operator": "NotIn", "values": ["hall"]}, False),
        ({"key": "row", "operator": "NotIn", "values": ["a"]}, True),
        ({"key": "zone", "operator": "Exists"}, True),
        ({"key": "row", "operator": "Exists"}, False),
        ({"key": "row", "operator": "DoesNotExist"}, True),
        ({"key": "zone", "operator": "DoesNotExist"}, False),
        ({"key": "rack", "operator": "Gt", "values": ["6"]}, True),
        ({"key": "rack", "operator": "Gt", "values": ["7"]}, False),
        ({"key": "rack", "operator": "Lt", "values": ["10"]}, True),
        ({"key": "rack", "operator": "Lt", "values": ["7"]}, False),
        ({"key": "row", "operator": "Lt", "values": ["7"]}, False),
    ],
)
def test_what_a_volume_asks_of_a_node(requirement, met):
    here = node("hall-1", {}, {"zone": "hall", "rack": "7"})
    itself = {"key": "metadata.name", "operator": "In", "values": ["hall-1"]}
    assert fits(here, {"matchExpressions": [requirement]}) is met
    assert fits(here, {"matchExpressions": [requirement], "matchFields": [itself]}) is met
    assert not fits(here, {"matchExpressions": [requirement], "matchFields": [itself | {"values": ["hall-2"]}]})
    assert not fits(here, {})


def test_a_claim_goes_where_its_first_pod_goes_until_a_node_is_chosen(living, double):
    adapter = get_cluster(living.row)
    volume = VolumeRef("v-new", NAMESPACE)
    adapter.ensure_volume(volume, tenant="acme", size_gib=1)
    assert adapter.can_mount(volume, pool="cloud")
    # A class whose provisioner does not answer: the node stays chosen, and nothing is bound.
    slow = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "slow"},
            "provisioner": "none.example.org", "volumeBindingMode": "WaitForFirstConsumer"}  # fmt: skip
    double.load([slow])
    double.merge("persistentvolumeclaims", NAMESPACE, "v-new", {"spec": {"storageClassName": "slow"}})
    chosen = {"metadata": {"annotations": {"volume.kubernetes.io/selected-node": "hall-1"}}}
    double.merge("persistentvolumeclaims", NAMESPACE, "v-new", chosen)
    assert not adapter.can_mount(volume, pool="cloud")


# --- At once ------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_admission_and_move_at_once_give_each_slot_once(attempt, double, tmp_path, acme, alice, bursting):
    row = make_row(double.kubeconfig(tmp_path / "kubeconfig"), slots=0, pools=POOLS)
    for pool in POOLS:
        Capacity.objects.create(cluster=row, gpu_class=make_class(), pool=pool, slots=1)
    version, long_ago = make_version(), timezone.now() - timedelta(hours=1)
    fields = {"gpu_class": make_class(), "engine_version": version, "pool": "onprem", "queued_at": long_ago}
    rows = [
        factories.make_instance(
            acme, alice, row, volume=factories.make_volume(acme, alice, row, namespace=NAMESPACE), state="queued", **fields
        )
        for _ in range(4)
    ]
    together(lambda number: (reconcile if number % 2 else burst)(rows[number // 2].pk if number % 2 else rows[number // 2]))
    for each in rows:
        reconcile(each.pk)
    held = Instance.objects.filter(state__in=HOLDS_GPU)
    assert sorted(held.values_list("pool", flat=True)) == ["cloud", "onprem"]
    assert Instance.objects.filter(pool="cloud").count() == 1
    names = {each.workload.name for each in held.select_related("volume")}
    assert {each["metadata"]["name"] for each in double.objects("statefulsets")} == names
    wait_until(lambda: len([pod for pod in double.objects("pods", NAMESPACE) if pod["spec"].get("nodeName")]) == 2)
    on = {pod["metadata"]["name"].removesuffix("-0"): pod["spec"]["nodeName"] for pod in double.objects("pods", NAMESPACE)}
    assert on == {each.workload.name: "cloud-1" if each.pool == "cloud" else "hall-1" for each in held.select_related("volume")}
