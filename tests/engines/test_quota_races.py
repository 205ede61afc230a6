"""Twenty at once, on real transactions: no limit of any kind is ever exceeded, whatever they ask for."""

from datetime import timedelta

import pytest
from django.utils import timezone

from engines.models import Instance, Volume
from engines.operations import instances, sharing, volumes
from engines.quotas import standing_of
from tenants.models import Role
from tenants.quotas.models import Quota
from tenants.quotas.refusal import LimitReached
from tests import factories
from tests.engines.test_races import together

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 20
ROOM = {"running": 3, "gpus": 1500, "instances": 3, "storage": 30}
"""Three runs of half a GPU with 10 GiB each."""
RESTS = {"state": "stopped", "desired_state": "stopped"}
SUBJECTS = ["tenant", "role", "user"]


@pytest.fixture
def half(db):
    return factories.make_gpu_class("half", vendor="nvidia", sharing="mps", part_millis=500)


@pytest.fixture
def place(half, make_cluster):
    """Both classes, and room for everybody: nothing but the limits refuses."""
    cluster = make_cluster(slots=THREADS)
    cluster.capacities.create(gpu_class=half, slots=THREADS)
    return cluster


def set_limit(acme, alice, gpu_class, *, measure, subject, of_class):
    factories.cap(acme, running=None, instances=None)
    whom = {"tenant": {}, "role": {"role": Role.MEMBER}, "user": {"user": alice}}[subject]
    author = "operator" if subject == "tenant" else "tenant"
    within = {"gpu_class": gpu_class if of_class else None}
    row = {"tenant": acme, "author": author, "measure": measure, **within, **whom}
    Quota.objects.update_or_create(**row, defaults={"limit": ROOM[measure]})


def cases():
    measures = [(measure, subject, False) for measure in ROOM for subject in SUBJECTS]
    return measures + [(measure, subject, True) for measure in ("running", "gpus", "instances") for subject in SUBJECTS]


@pytest.fixture
def launch(alice_in_acme, engine_version, half):
    def run(number):
        choice = {"engine_version": engine_version, "gpu_class": half, "name": f"Dragon {number}", "size_gib": 10}
        return instances.launch_instance(membership=alice_in_acme, **choice)

    return run


@pytest.mark.parametrize(("measure", "subject", "of_class"), cases())
def test_launches_never_exceed_a_limit(*, measure, subject, of_class, acme, alice, launch, half, place):
    set_limit(acme, alice, half, measure=measure, subject=subject, of_class=of_class)
    results = together(launch, THREADS)
    assert sorted(type(each).__name__ for each in results) == ["Instance"] * 3 + ["LimitReached"] * (THREADS - 3)
    assert Instance.objects.count() == Volume.objects.count() == 3


@pytest.mark.parametrize("measure", ["running", "gpus"])
@pytest.mark.parametrize("subject", SUBJECTS)
def test_resumes_never_exceed_a_limit(*, measure, subject, acme, alice, alice_in_acme, half, place):
    set_limit(acme, alice, half, measure=measure, subject=subject, of_class=False)
    resting = [factories.make_instance(acme, alice, place, gpu_class=half, **RESTS) for _number in range(THREADS)]
    results = together(lambda number: instances.resume_instance(instance=resting[number], by=alice_in_acme), THREADS)
    assert sorted(type(each).__name__ for each in results) == ["LimitReached"] * (THREADS - 3) + ["NoneType"] * 3
    assert Instance.objects.counted().count() == 3


@pytest.mark.parametrize("measure", ["running", "gpus", "instances"])
@pytest.mark.parametrize("subject", SUBJECTS)
def test_changes_to_a_class_never_exceed_its_limit(*, measure, subject, acme, alice, alice_in_acme, half, place):
    set_limit(acme, alice, half, measure=measure, subject=subject, of_class=True)
    queued = [factories.make_instance(acme, alice, place, state="queued") for _number in range(THREADS)]
    change = instances.change_gpu_class
    results = together(lambda number: change(instance=queued[number], by=alice_in_acme, gpu_class=half), THREADS)
    assert sorted(type(each).__name__ for each in results) == ["LimitReached"] * (THREADS - 3) + ["NoneType"] * 3
    assert Instance.objects.filter(gpu_class=half).count() == 3


@pytest.mark.parametrize("attempt", range(3))
@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_mix_of_wishes_never_exceeds_any_limit(*, attempt, subject, acme, alice, alice_in_acme, launch, half, place):
    """Launches, resumes, data restored, hand-overs to the limited person: all at once, with all limits set."""
    carol = factories.join(factories.make_user("carol"), acme, Role.ADMIN)
    resting = [factories.make_instance(acme, alice, place, gpu_class=half, **RESTS) for _number in range(5)]
    theirs = [factories.make_instance(acme, carol.user, place, gpu_class=half, state="running") for _number in range(5)]
    trash = {"state": "trashed", "purge_at": timezone.now() + timedelta(days=1)}
    trashed = [factories.make_volume(acme, alice, place, **trash) for _number in range(5)]
    Volume.objects.update(size_gib=1)
    room = {"running": 9, "gpus": 4500, "instances": 14, "storage": 40}
    if subject != "tenant":
        room = {"running": 4, "gpus": 2000, "instances": 9, "storage": 35}
    for measure, most in room.items():
        set_limit(acme, alice, half, measure=measure, subject=subject, of_class=False)
        Quota.objects.filter(measure=measure, limit=ROOM[measure]).update(limit=most)
    wishes = [
        launch,
        lambda which: instances.resume_instance(instance=resting[which], by=alice_in_acme),
        lambda which: sharing.hand_over_instance(instance=theirs[which], by=carol, to=alice),
        lambda which: volumes.restore_volume(volume=trashed[which], by=alice_in_acme),
    ]
    results = together(lambda number: wishes[number % 4](number // 4), THREADS)
    assert LimitReached in {type(each) for each in results} <= {Instance, LimitReached, type(None)}
    uses = standing_of(acme, alice).uses()
    assert [use for use in uses if use.used > use.limit.limit] == []
    assert {use.limit.measure for use in uses if use.full} & {"running", "gpus"}
    assert Volume.objects.filter(state="trashed").count() == 0
