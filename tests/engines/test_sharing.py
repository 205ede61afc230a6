"""Sharing and handing over: what is written, what is refused in which words, and what holds when two ask at once."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from engines.errors import Unavailable
from engines.models import Handover, Instance, InstanceEvent, Share
from engines.operations import instances, sharing
from engines.queries.sharing import others_who_may
from engines.rights import Rights, may_visit, rights_of
from engines.states import InstanceState
from tenants.access import Action
from tenants.errors import NotAllowed, NotVisible
from tenants.models import Membership, Role
from tests import factories
from tests.engines.test_races import together

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=7)


@pytest.fixture
def at(time_machine):
    """Set the clock to NOW, and turn it on by so much."""

    def turn(**passed):
        time_machine.move_to(NOW + timedelta(**passed), tick=False)

    turn()
    return turn


@pytest.fixture
def instance(acme, alice, cluster):
    return factories.make_instance(acme, alice, cluster, state=InstanceState.RUNNING, name="Dragon")


@pytest.fixture
def carol_in_acme(acme):
    return factories.join(factories.make_user("carol"), acme)


@pytest.fixture
def carol(carol_in_acme):
    return carol_in_acme.user


@pytest.fixture
def share(instance, alice_in_acme, carol):
    """Share as alice, with carol unless another is given."""

    def run(member=carol, until=None, by=alice_in_acme):
        return sharing.share_instance(instance=instance, by=by, member=member, until=until)

    return run


def events():
    return list(InstanceEvent.objects.values_list("kind", "actor__username", "reason", "evidence"))


def everything():
    return [list(model.objects.order_by("pk").values()) for model in (Instance, Share, Handover, InstanceEvent)]


def refusal(call) -> str:
    """Return the sentence of the refusal, having checked that nothing was written."""
    before = everything()
    with pytest.raises((Unavailable, NotAllowed, NotVisible)) as refused:
        call()
    assert everything() == before
    return str(refused.value)


# --- sharing ---


def test_a_share_lets_its_guest_in_until_its_moment(at, share, instance, carol_in_acme):
    assert not may_visit(carol_in_acme, instance)
    made = share(until=LATER)
    assert (made.tenant, made.until, made.created_at, made.shared_by.username) == (instance.tenant, LATER, NOW, "alice")
    assert events() == [("note", "alice", "shared", "carol → 2026-03-17 12:00 UTC")]
    for passed, inside in ((timedelta(days=7) - timedelta(seconds=1), True), (timedelta(days=7), False)):
        at(seconds=passed.total_seconds())
        assert may_visit(carol_in_acme, instance) is inside
    assert Share.objects.get().ended_at is None  # nobody had to do anything


def test_a_share_with_everybody_is_one_with_the_tenant_of_the_moment(share, instance, acme, bolt):
    share(member=None)
    assert events() == [("note", "alice", "shared", "Acme Studio")]
    newcomer = factories.join(factories.make_user("nora"), acme)
    viewer = factories.join(factories.make_user("vera"), acme, Role.VIEWER)
    stranger = factories.join(factories.make_user("stan"), bolt)
    assert [may_visit(each, instance) for each in (newcomer, viewer)] == [True, False]
    assert not Instance.objects.visible_to(stranger).exists()


def test_sharing_again_changes_the_end(at, share):
    first = share(until=LATER)
    assert share(until=None) == first
    assert Share.objects.get().until is None
    share(until=None)
    assert [(reason, evidence) for _kind, _actor, reason, evidence in events()] == [
        ("shared", "carol → 2026-03-17 12:00 UTC"),
        ("share_changed", "carol"),
    ]


def test_sharing_again_after_the_time_is_a_share_of_its_own(at, share):
    first = share(until=LATER)
    at(days=8)
    second = share()
    first.refresh_from_db()
    assert (first.ended_at, first.ended_by) == (LATER, None)
    assert (second.created_at, second.until) == (NOW + timedelta(days=8), None)


def test_who_may_be_let_in(share, alice, bob, acme):
    vera = factories.join(factories.make_user("vera"), acme, Role.VIEWER).user
    gone = factories.join(factories.make_user("gone", is_active=False), acme).user
    assert refusal(lambda: share(member=alice)) == "“Dragon” belongs to alice already."
    assert refusal(lambda: share(member=vera)) == "The role of vera in Acme Studio does not allow to use engines."
    assert refusal(lambda: share(member=bob)) == "There is no such member."
    assert refusal(lambda: share(member=gone)) == "There is no such member."


def test_a_share_ends_in_the_future(at, share, alice_in_acme):
    assert refusal(lambda: share(until=NOW)) == "Choose a moment that is still to come."
    made = share()
    extend = sharing.extend_share
    assert refusal(lambda: extend(share=made, by=alice_in_acme, until=NOW)) == "Choose a moment that is still to come."


def test_an_admin_enters_by_sharing_with_themselves_and_everybody_sees_it(share, instance, anna, anna_in_acme):
    assert rights_of(anna_in_acme, [instance]) == {instance.pk: Rights(operate=True, visit=False, costs=True)}
    share(member=anna, by=anna_in_acme)
    assert rights_of(anna_in_acme, [instance]) == {instance.pk: Rights(operate=True, visit=True, costs=True, guest=True)}
    assert events() == [("note", "anna", "shared", "anna")]


def test_an_end_can_be_moved_and_what_is_over_stays_over(at, share, alice_in_acme, instance, carol_in_acme):
    made = share(until=LATER)
    sharing.extend_share(share=made, by=alice_in_acme, until=NOW + timedelta(hours=1))
    at(hours=1)
    assert not may_visit(carol_in_acme, instance)
    sentence = refusal(lambda: sharing.extend_share(share=made, by=alice_in_acme, until=LATER))
    assert sentence == "This share has ended already."


def test_ending_a_share_twice_is_once(at, share, alice_in_acme, anna_in_acme, instance, carol_in_acme):
    made = share()
    sharing.end_share(share=made, by=alice_in_acme)
    at(hours=1)
    sharing.end_share(share=made, by=anna_in_acme)
    made.refresh_from_db()
    assert (made.ended_at, made.ended_by.username) == (NOW, "alice")
    assert [reason for _kind, _actor, reason, _evidence in events()] == ["shared", "share_ended"]
    assert not may_visit(carol_in_acme, instance)


ACTS = {
    "share": lambda share, by: sharing.share_instance(instance=share.instance, by=by, member=None, until=None),
    "extend": lambda share, by: sharing.extend_share(share=share, by=by, until=timezone.now() + timedelta(days=1)),
    "end": lambda share, by: sharing.end_share(share=share, by=by),
    "hand over": lambda share, by: sharing.hand_over_instance(instance=share.instance, by=by, to=share.member),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_neither_guests_nor_strangers_let_others_in(act, share, carol_in_acme, bob_in_bolt):
    made = share()
    assert refusal(lambda: act(made, carol_in_acme)) == "Only its owner or an admin of Acme Studio may do this."
    assert refusal(lambda: act(made, bob_in_bolt)) == "There is nothing here, or it is not yours."


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_nobody_does_in_a_suspended_tenant(act, share, alice_in_acme, acme):
    made = share()
    acme.suspended_at = timezone.now()
    acme.save()
    owner = Membership.objects.select_related("tenant", "user").get(pk=alice_in_acme.pk)
    assert refusal(lambda: act(made, owner)) == "Only its owner or an admin of Acme Studio may do this."


def test_a_guest_wakes_it_and_does_nothing_else(share, instance, carol_in_acme):
    Instance.objects.update(state="stopped", desired_state="stopped")
    made = share()
    instances.resume_instance(instance=instance, by=carol_in_acme)
    instance.refresh_from_db()
    assert (instance.desired_state, instance.generation) == ("running", 2)
    assert events()[-1] == ("wish", "carol", "resumed", "")
    Share.objects.filter(pk=made.pk).update(ended_at=timezone.now())
    Instance.objects.update(state="stopped", desired_state="stopped")
    sentence = refusal(lambda: instances.resume_instance(instance=instance, by=carol_in_acme))
    assert sentence == "Only its owner or an admin of Acme Studio may do this."


# --- what the database itself refuses ---


def test_a_share_goes_with_its_membership_and_does_not_come_back_with_it(share, instance, carol, carol_in_acme, acme):
    share()
    carol_in_acme.delete()
    assert not Share.objects.exists()
    assert not may_visit(factories.join(carol, acme), instance)
    assert [reason for _kind, _actor, reason, _evidence in events()] == ["shared"]


@pytest.fixture
def people(anna, bob, bolt, carol):
    return {"anna": anna, "bob": bob, "bolt": bolt, "carol": carol}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("share_in_tenant_of_instance", lambda people: {"tenant": people["bolt"]}),
        ("share_with_member_of_tenant", lambda people: {"member": people["bob"]}),
        ("shared_once_with_member", lambda people: {"member": people["carol"]}),
        ("share_lasts", lambda people: {"until": NOW, "created_at": NOW, "member": people["anna"]}),
        ("share_ended_when", lambda people: {"ended_by": people["anna"], "member": people["anna"]}),
    ],
)
def test_the_database_keeps_shares_in_order(name, fields, share, people):
    made = share()
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        factories.share(made.instance, **fields(people))


def test_an_instance_is_shared_with_its_tenant_once(instance):
    factories.share(instance)
    with pytest.raises(IntegrityError, match="shared_once_with_tenant"), transaction.atomic():
        factories.share(instance)
    Share.objects.update(ended_at=timezone.now())
    factories.share(instance)


# --- handing over ---


def test_a_hand_over_takes_the_data_along_and_ends_what_was_shared(at, share, alice_in_acme, carol_in_acme):
    alice, carol, instance = alice_in_acme.user, carol_in_acme.user, share().instance
    share(member=None, until=LATER)
    sharing.hand_over_instance(instance=instance, by=alice_in_acme, to=carol)
    instance.refresh_from_db()
    assert (instance.owner, instance.volume.owner, instance.desired_state, instance.generation) == (carol, carol, "running", 1)
    assert list(Share.objects.values_list("ended_at", "ended_by")) == [(NOW, alice.pk)] * 2
    [row] = Handover.objects.all()
    assert (row.instance, row.at, row.from_owner, row.to_owner, row.actor) == (instance, NOW, alice, carol, alice)
    assert events()[-1] == ("note", "alice", "handed_over", "alice → carol")
    assert (may_visit(alice_in_acme, instance), may_visit(carol_in_acme, instance)) == (False, True)
    wish = refusal(lambda: instances.pause_instance(instance=instance, by=alice_in_acme))
    assert wish == "Only its owner or an admin of Acme Studio may do this."


def test_only_who_may_launch_can_be_handed_an_instance(instance, alice, alice_in_acme, acme, bob):
    finn = factories.join(factories.make_user("finn"), acme, Role.FINANCE).user

    def hand_over(to):
        return lambda: sharing.hand_over_instance(instance=instance, by=alice_in_acme, to=to)

    assert refusal(hand_over(alice)) == "“Dragon” belongs to alice already."
    assert refusal(hand_over(finn)) == "The role of finn in Acme Studio does not allow to use engines."
    assert refusal(hand_over(bob)) == "There is no such member."


def test_hand_overs_stay_as_they_were(instance, alice_in_acme, carol):
    sharing.hand_over_instance(instance=instance, by=alice_in_acme, to=carol)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Handover.objects.update(to_owner=alice_in_acme.user)


def test_whoever_launches_with_a_colleagues_data_is_named(instance, anna_in_acme, alice, engine_version, gpu_class):
    Instance.objects.update(state="deleted", desired_state="deleted")
    launched = instances.launch_instance(
        membership=anna_in_acme, engine_version=engine_version, gpu_class=gpu_class, name="Found", volume=instance.volume
    )
    assert [(event.reason, event.evidence, event.actor) for event in launched.events.all()] == [
        ("colleagues_data", f"{instance.volume.name} (alice)", anna_in_acme.user),
        ("launched", "", anna_in_acme.user),
    ]


# --- at once ---


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(5))
def test_sharing_at_once_is_one_share(attempt, share):
    shares = together(lambda _number: share())
    assert len({made.pk for made in shares}) == Share.objects.count() == 1
    assert len(events()) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(10))
def test_nobody_wakes_it_by_a_share_that_has_ended(attempt, share, instance, alice_in_acme, carol_in_acme):
    Instance.objects.update(state="stopped", desired_state="stopped")
    made = share()

    def one(number):
        if number == 0:
            sharing.end_share(share=made, by=alice_in_acme)
        else:
            instances.resume_instance(instance=instance, by=carol_in_acme)

    together(one, 4)
    reasons = [reason for _kind, _actor, reason, _evidence in events()]
    assert reasons[-1] == "share_ended"
    assert reasons in (["shared", "resumed", "share_ended"], ["shared", "share_ended"])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(10))
def test_of_two_hand_overs_at_once_the_first_counts(attempt, instance, alice_in_acme, acme):
    heirs = [factories.join(factories.make_user(name), acme).user for name in ("carol", "dora")]
    results = together(lambda number: sharing.hand_over_instance(instance=instance, by=alice_in_acme, to=heirs[number]), 2)
    [row] = Handover.objects.all()
    assert sorted(type(result) for result in results if result is not None) == [NotAllowed]
    assert Instance.objects.get().owner == row.to_owner


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(10))
def test_no_share_is_left_to_somebody_who_leaves_meanwhile(attempt, share, carol_in_acme):
    results = together(lambda number: share() if number else carol_in_acme.delete(), 2)
    assert not Share.objects.exists()
    assert isinstance(results[1], Share | NotVisible)


def test_who_must_sign_in_again_is_nobody_to_share_with(instance, carol, carol_in_acme):
    assert list(others_who_may(Action.VISIT, instance)) == [carol]
    Membership.objects.filter(pk=carol_in_acme.pk).update(provider="company", lapsed_at=timezone.now())
    assert not others_who_may(Action.VISIT, instance).exists()
