"""Which limits hold for whom, what counts against them, and what is refused with which sentence."""

from datetime import timedelta

import pytest
from django.utils import timezone

from engines.amounts import gpu_millis_of, used_in
from engines.models import GpuClass, Instance, Volume
from engines.operations import instances, sharing, volumes
from engines.quotas import standing_of
from tenants.models import Membership, Role
from tenants.quotas.models import Quota
from tenants.quotas.refusal import LimitReached
from tests import factories

RESTS = {"state": "stopped", "desired_state": "stopped"}


@pytest.fixture
def launch(alice_in_acme, engine_version, gpu_class, cluster):
    def run(name="Dragon", **choices):
        defaults = {"membership": alice_in_acme, "engine_version": engine_version, "gpu_class": gpu_class, "name": name}
        return instances.launch_instance(**defaults | choices)

    return run


@pytest.fixture
def half(cluster):
    """A share that counts as half a GPU."""
    found = factories.make_gpu_class("half", vendor="nvidia", sharing="mps", part_millis=500)
    cluster.capacities.create(gpu_class=found, slots=9)
    return found


@pytest.fixture
def carol_in_acme(acme):
    return factories.join(factories.make_user("carol"), acme)


def limit(tenant, measure, most, **scope):
    """What the tenant sets for itself."""
    return Quota.objects.create(tenant=tenant, author="tenant", measure=measure, limit=most, **scope)


def refused(call) -> str:
    before = (Instance.objects.count(), Volume.objects.count(), sorted(Instance.objects.values_list("pk", "generation", "owner")))
    with pytest.raises(LimitReached) as caught:
        call()
    assert before == (
        Instance.objects.count(),
        Volume.objects.count(),
        sorted(Instance.objects.values_list("pk", "generation", "owner")),
    )
    return str(caught.value)


def test_nothing_set_means_the_defaults(launch, acme, alice, cluster):
    for _number in range(5):
        factories.make_instance(acme, alice, cluster, state="running")
    sentence = "This would exceed the limit of 5 running instances for Acme Studio: 5 in use, 1 more needed."
    assert refused(launch) == f"{sentence} Only operators can raise it."


def test_a_ceiling_of_none_takes_the_default_away(launch, acme, alice, cluster):
    for _number in range(5):
        factories.make_instance(acme, alice, cluster, state="running")
    factories.cap(acme, running=None)
    launch()


def test_a_persons_own_limit_and_who_raises_it(launch, acme, alice, carol_in_acme):
    limit(acme, "running", 1, user=alice)
    launch()
    launch("Hers", membership=carol_in_acme)
    sentence = "This would exceed the limit of 1 running instances for alice: 1 in use, 1 more needed."
    assert refused(lambda: launch("Second")) == f"{sentence} An owner or admin of Acme Studio can raise it."


def test_a_roles_limit_holds_for_each_person_and_a_persons_own_replaces_it(launch, acme, alice, carol_in_acme, anna_in_acme):
    limit(acme, "running", 1, role=Role.MEMBER)
    launch()
    launch("Hers", membership=carol_in_acme)
    for number in range(2):
        launch(f"The owner's {number}", membership=anna_in_acme)
    assert "limit of 1 running instances for alice" in refused(lambda: launch("Second"))
    limit(acme, "running", 2, user=alice)
    launch("Second")
    assert "limit of 2 running instances for alice" in refused(lambda: launch("Third"))


def test_a_person_may_be_freed_from_their_roles_limit(launch, acme, alice):
    limit(acme, "running", 1, role=Role.MEMBER)
    limit(acme, "running", None, user=alice)
    launch()
    launch("Second")


def test_another_role_brings_another_limit(launch, acme, alice, alice_in_acme):
    limit(acme, "running", 1, role=Role.MEMBER)
    launch()
    Membership.objects.filter(pk=alice_in_acme.pk).update(role=Role.ADMIN)
    launch("Second")


def test_limits_of_one_class_leave_the_others_alone(launch, acme, alice, half):
    limit(acme, "running", 1, user=alice, gpu_class=half)
    launch("First", gpu_class=half)
    sentence = refused(lambda: launch("Second", gpu_class=half))
    assert "limit of 1 running instances on half for alice" in sentence
    launch("Second")


def test_gpus_are_counted_in_parts(launch, acme, half, cluster):
    whole = factories.make_gpu_class("two", vendor="nvidia", count=2)
    cluster.capacities.create(gpu_class=whole, slots=9)
    factories.cap(acme, gpus=2500)
    launch("First", gpu_class=half)
    launch("Two", gpu_class=whole)
    launch("No GPU")
    sentence = "This would exceed the limit of 2.5 GPUs for Acme Studio: 2.5 in use, 0.5 more needed."
    assert refused(lambda: launch("Another", gpu_class=half)) == f"{sentence} Only operators can raise it."


def test_storage_counts_the_trash_until_it_is_purged(launch, acme, alice, cluster):
    factories.cap(acme, storage=100)
    soon = timezone.now() + timedelta(days=1)
    trashed = factories.make_volume(acme, alice, cluster, size_gib=60, state="trashed", purge_at=soon)
    sentence = refused(lambda: launch(size_gib=41))
    assert "limit of 100 GiB of storage for Acme Studio: 60 GiB exist, trash included, 41 GiB more needed" in sentence
    Volume.objects.filter(pk=trashed.pk).update(state="deleted")
    launch(size_gib=100)


def test_data_that_exists_takes_no_more_storage(launch, acme, alice, cluster):
    kept = factories.make_volume(acme, alice, cluster, size_gib=60)
    factories.cap(acme, storage=10)
    launch(volume=kept)


def test_restoring_from_the_trash_takes_no_more_storage(acme, alice, alice_in_acme, cluster):
    soon = timezone.now() + timedelta(days=1)
    trashed = factories.make_volume(acme, alice, cluster, size_gib=60, state="trashed", purge_at=soon)
    factories.cap(acme, storage=10)
    volumes.restore_volume(volume=trashed, by=alice_in_acme)
    trashed.refresh_from_db()
    assert trashed.state == "active"


def test_the_owners_limits_count_when_somebody_else_resumes(acme, alice, anna_in_acme, cluster):
    limit(acme, "running", 1, user=alice)
    factories.make_instance(acme, alice, cluster, state="running")
    resting = factories.make_instance(acme, alice, cluster, **RESTS)
    assert "for alice" in refused(lambda: instances.resume_instance(instance=resting, by=anna_in_acme))


def test_what_takes_no_more_stays_possible_above_a_lowered_limit(acme, alice, alice_in_acme, cluster, half):
    running = factories.make_instance(acme, alice, cluster, state="running")
    queued = factories.make_instance(acme, alice, cluster, state="queued", gpu_class=half)
    factories.cap(acme, running=1, gpus=0, instances=1)
    instances.restart_instance(instance=running, by=alice_in_acme)
    instances.change_gpu_class(instance=queued, by=alice_in_acme, gpu_class=running.gpu_class)
    queued.refresh_from_db()
    assert queued.gpu_class == running.gpu_class
    change = lambda: instances.change_gpu_class(instance=queued, by=alice_in_acme, gpu_class=half)  # noqa: E731
    assert "limit of 0 GPUs for Acme Studio: 0 in use, 0.5 more needed" in refused(change)


def test_a_class_change_counts_for_instances_that_rest(acme, alice, alice_in_acme, cluster, half):
    factories.cap(acme, gpu_class=half, instances=1)
    factories.make_instance(acme, alice, cluster, gpu_class=half, **RESTS)
    other = factories.make_instance(acme, alice, cluster, **RESTS)
    change = lambda: instances.change_gpu_class(instance=other, by=alice_in_acme, gpu_class=half)  # noqa: E731
    assert "limit of 1 instances on half for Acme Studio: 1 exist, 1 more needed" in refused(change)


def test_a_ceiling_of_a_class_takes_the_place_of_what_every_tenant_gets(launch, acme, gpu_class):
    GpuClass.objects.filter(pk=gpu_class.pk).update(max_per_tenant=1)
    gpu_class.refresh_from_db()
    factories.cap(acme, gpu_class=gpu_class, running=2)
    launch()
    launch("Second")
    assert "limit of 2 running instances on cpu-small" in refused(lambda: launch("Third"))


@pytest.mark.parametrize(
    ("measure", "most", "words"),
    [
        ("running", 0, "limit of 0 running instances for carol"),
        ("gpus", 400, "limit of 0.4 GPUs for carol"),
        ("instances", 0, "limit of 0 instances for carol"),
        ("storage", 49, "limit of 49 GiB of storage for carol"),
    ],
)
def test_a_hand_over_respects_the_receivers_limits(
    *, acme, alice, alice_in_acme, carol_in_acme, cluster, half, measure, most, words
):
    instance = factories.make_instance(acme, alice, cluster, state="running", gpu_class=half)
    theirs = limit(acme, measure, most, user=carol_in_acme.user)
    hand_over = lambda: sharing.hand_over_instance(instance=instance, by=alice_in_acme, to=carol_in_acme.user)  # noqa: E731
    assert words in refused(hand_over)
    theirs.delete()
    hand_over()


def test_a_hand_over_takes_nothing_more_from_the_tenant(acme, alice, alice_in_acme, carol_in_acme, cluster):
    instance = factories.make_instance(acme, alice, cluster, state="running")
    factories.cap(acme, running=0, instances=0, storage=0)
    sharing.hand_over_instance(instance=instance, by=alice_in_acme, to=carol_in_acme.user)


def test_the_whole_evaluation_takes_two_queries(acme, alice, gpu_class, half, cluster, django_assert_num_queries):
    factories.cap(acme, running=3, gpus=2000, storage=100)
    factories.cap(acme, gpu_class=half, running=2)
    limit(acme, "running", 1, role=Role.MEMBER)
    limit(acme, "gpus", 1000, user=alice, gpu_class=half)
    factories.make_instance(acme, alice, cluster, state="running", gpu_class=half)
    with django_assert_num_queries(2):
        uses = standing_of(acme, alice).uses(classes=[gpu_class])
    assert [(use.limit.measure, use.used, use.limit.limit, use.limit.owner_id) for use in uses] == [
        ("gpus", 500, 1000, alice.pk),
        ("running", 1, 1, alice.pk),
        ("running", 1, 3, None),
        ("gpus", 500, 2000, None),
        ("instances", 1, 50, None),
        ("storage", 50, 100, None),
        ("running", 1, 2, None),
    ]


def test_limits_of_other_tenants_do_not_count(launch, bolt, bob, cluster, alice):
    factories.cap(bolt, running=0)
    limit(bolt, "running", 0, role=Role.MEMBER)
    factories.join(alice, bolt)
    launch()


def test_what_counts_as_running_is_the_same_in_sql(acme, alice, cluster):
    wishes = [("running", "running", 0), ("queued", "running", 0), ("failed", "running", 1), ("failed", "running", 0)]
    wishes += [("stopped", "stopped", 0), ("stopping", "stopped", 0), ("deleted", "running", 0)]
    for state, wish, settled in wishes:
        factories.make_instance(acme, alice, cluster, state=state, desired_state=wish, settled_generation=settled)
    rows = Instance.objects.all()
    assert {row.pk for row in rows if row.counts} == set(Instance.objects.counted().values_list("pk", flat=True))
    assert sum(each.of["running"] for each in used_in(acme)) == 3


def test_what_a_class_counts_as_is_the_same_in_sql(db):
    for number, (vendor, kind, count, part) in enumerate(
        [
            ("cpu", "exclusive", 1, None),
            ("nvidia", "exclusive", 2, None),
            ("nvidia", "time-slicing", 8, None),
            ("amd", "mig", 1, 143),
        ]
    ):
        factories.make_gpu_class(f"c{number}", vendor=vendor, sharing=kind, count=count, part_millis=part)
    found = GpuClass.objects.annotate(in_sql=gpu_millis_of()).order_by("slug")
    assert [(each.gpu_millis, each.in_sql) for each in found] == [(0, 0), (2000, 2000), (1000, 1000), (143, 143)]
