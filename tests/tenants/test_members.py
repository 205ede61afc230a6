"""Who gives and takes roles, who leaves, and what never happens: a tenant without an owner."""

from collections import Counter

import pytest
from django.core import mail
from django.utils import timezone

from engines.models import Share
from tenants import access
from tenants.audit.models import AuditEvent
from tenants.errors import NotAllowed, NotPossible, NotVisible
from tenants.models import Membership, Role, Tenant
from tenants.notifications.models import Delivery, Notification
from tenants.notifications.outbox import deliver_due
from tenants.team import operations
from tenants.team.operations import add_member, change_role, leave, remove_member
from tests import factories
from tests.engines.test_races import together

OTHERS = [Role.ADMIN, Role.MEMBER, Role.FINANCE, Role.VIEWER]


@pytest.fixture
def carol_in_acme(acme):
    return factories.join(factories.make_user("carol"), acme, Role.ADMIN)


def written():
    members = list(Membership.objects.order_by("pk").values_list("pk", "role"))
    return (members, AuditEvent.objects.count(), Notification.objects.count())


def audit():
    return list(AuditEvent.objects.order_by("pk").values_list("kind", "actor__username", "subject_name", "details"))


def told():
    return [
        (each.kind, [str(recipient.user) for recipient in each.recipients.all()], each.context)
        for each in Notification.objects.order_by("created_at")
    ]


@pytest.mark.parametrize("was", OTHERS)
@pytest.mark.parametrize("becomes", OTHERS)
def test_an_admin_gives_and_takes_every_role_but_the_owners(was, becomes, carol_in_acme, alice_in_acme):
    Membership.objects.filter(pk=alice_in_acme.pk).update(role=was)
    change_role(member=alice_in_acme, by=carol_in_acme, role=becomes)
    alice_in_acme.refresh_from_db()
    assert alice_in_acme.role == becomes
    assert audit() == ([] if was == becomes else [("member.role_changed", "carol", "alice", {"from": was, "to": becomes})])
    context = {"by": "carol", "tenant": "Acme Studio", "role": becomes}
    assert told() == ([] if was == becomes else [("role_changed", ["alice"], context)])


def test_an_admin_touches_no_owner(carol_in_acme, alice_in_acme, anna_in_acme):
    dora = factories.make_user("dora")
    before = written()
    for act in (
        lambda: change_role(member=alice_in_acme, by=carol_in_acme, role=Role.OWNER),
        lambda: change_role(member=anna_in_acme, by=carol_in_acme, role=Role.ADMIN),
        lambda: change_role(member=carol_in_acme, by=carol_in_acme, role=Role.OWNER),
        lambda: remove_member(member=anna_in_acme, by=carol_in_acme),
        lambda: add_member(user=dora, by=carol_in_acme, role=Role.OWNER),
    ):
        with pytest.raises(NotAllowed, match="Only an owner"):
            act()
    assert written() == before


@pytest.mark.parametrize("role", [Role.MEMBER, Role.FINANCE, Role.VIEWER])
def test_others_manage_nobody_and_not_themselves(role, acme, alice_in_acme, anna_in_acme):
    by = factories.join(factories.make_user("dora"), acme, role)
    before = written()
    for act in (
        lambda: change_role(member=alice_in_acme, by=by, role=Role.VIEWER),
        lambda: change_role(member=by, by=by, role=Role.ADMIN),
        lambda: remove_member(member=alice_in_acme, by=by),
        lambda: add_member(user=alice_in_acme.user, by=by, role=Role.MEMBER),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert written() == before


def test_an_owner_makes_another_and_may_then_go(anna_in_acme, alice_in_acme):
    change_role(member=alice_in_acme, by=anna_in_acme, role=Role.OWNER)
    leave(member=anna_in_acme)
    assert list(Membership.objects.values_list("user__username", "role")) == [("alice", "owner")]
    assert [kind for kind, *_rest in audit()] == ["member.role_changed", "member.left"]
    assert told()[-1] == ("member_left", ["alice"], {"person": "anna"})


def test_a_service_never_owns_a_tenant(acme, anna_in_acme):
    service = factories.join(factories.make_user("service-batch-1", is_service=True), acme, Role.ADMIN)
    other = factories.make_user("service-batch-2", is_service=True)
    before = written()
    for act in (
        lambda: change_role(member=service, by=anna_in_acme, role=Role.OWNER),
        lambda: add_member(user=other, by=anna_in_acme, role=Role.OWNER),
    ):
        with pytest.raises(NotPossible, match="Only people can own a tenant"):
            act()
    assert written() == before


def test_the_last_owner_stays(olga, acme, anna_in_acme, alice_in_acme):
    factories.join(factories.make_user("gone", is_active=False), acme, Role.OWNER)  # who cannot sign in owns nothing
    Membership.objects.create(user=factories.make_user("lapsed"), tenant=acme, role=Role.OWNER, lapsed_at=timezone.now())
    operator = access.as_operator(olga, acme, permission="tenants.change_membership")
    before = written()
    for act in (
        lambda: leave(member=anna_in_acme),
        lambda: change_role(member=anna_in_acme, by=anna_in_acme, role=Role.ADMIN),
        lambda: remove_member(member=anna_in_acme, by=anna_in_acme),
        lambda: change_role(member=anna_in_acme, by=operator, role=Role.MEMBER),
    ):
        with pytest.raises(NotPossible, match="anna is the only owner of Acme Studio"):
            act()
    assert written() == before


def test_members_of_other_tenants_are_not_there(anna_in_acme, bob_in_bolt):
    before = written()
    for act in (
        lambda: change_role(member=bob_in_bolt, by=anna_in_acme, role=Role.VIEWER),
        lambda: remove_member(member=bob_in_bolt, by=anna_in_acme),
    ):
        with pytest.raises(NotVisible):
            act()
    assert written() == before


def test_who_has_lost_the_right_meanwhile_is_refused(anna_in_acme, carol_in_acme, alice_in_acme):
    """The page was opened as an admin; what counts is the role now."""
    Membership.objects.filter(pk=carol_in_acme.pk).update(role=Role.VIEWER)
    with pytest.raises(NotAllowed):
        remove_member(member=alice_in_acme, by=carol_in_acme)
    Membership.objects.filter(pk=carol_in_acme.pk).delete()
    with pytest.raises(NotVisible):
        remove_member(member=alice_in_acme, by=carol_in_acme)
    assert Membership.objects.filter(pk=alice_in_acme.pk).exists()


def test_who_is_removed_is_written_to_and_has_nothing_left(acme, alice, alice_in_acme, anna_in_acme, carol_in_acme, cluster):
    instance = factories.make_instance(acme, anna_in_acme.user, cluster)
    factories.share(instance, alice)
    remove_member(member=alice_in_acme, by=carol_in_acme)
    assert not Share.objects.exists()
    assert audit() == [("member.removed", "carol", "alice", {"role": "member"})]
    assert deliver_due()
    [letter] = mail.outbox
    assert (letter.to, letter.subject) == (["alice@example.org"], "You are no longer a member of Acme Studio")
    assert "http://portal.localhost:8000/\n" in letter.body
    assert "Sent because somebody entered this address there." in letter.body


def test_nobody_changes_anything_in_a_suspended_tenant_but_may_leave(acme, anna_in_acme, alice_in_acme):
    Tenant.objects.update(suspended_at=timezone.now())
    with pytest.raises(NotAllowed, match="is suspended"):
        change_role(member=alice_in_acme, by=anna_in_acme, role=Role.VIEWER)
    leave(member=alice_in_acme)
    assert not Membership.objects.filter(pk=alice_in_acme.pk).exists()


def test_somebody_who_is_added_is_told_once_and_never_twice_a_member(acme, bob, carol_in_acme):
    add_member(user=bob, by=carol_in_acme, role=Role.FINANCE)
    assert told() == [("member_added", ["bob"], {"by": "carol", "tenant": "Acme Studio", "role": "finance"})]
    before = written()
    with pytest.raises(NotPossible, match="bob is a member of Acme Studio already"):
        add_member(user=bob, by=carol_in_acme, role=Role.ADMIN)
    assert written() == before


def test_the_role_is_one_word_in_the_mail_of_its_reader(acme, alice, alice_in_acme, carol_in_acme):
    alice.language = "zh-hans"
    alice.save()
    change_role(member=alice_in_acme, by=carol_in_acme, role=Role.FINANCE)
    assert Delivery.objects.get().notification.context["role"] == "finance"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(5))
def test_of_two_owners_who_leave_at_once_one_stays(attempt, acme):
    owners = [factories.join(factories.make_user(f"owner{number}"), acme, Role.OWNER) for number in range(2)]

    def act(number):
        mine, other = owners[number], owners[1 - number]
        if attempt % 2:
            return leave(member=mine)
        return change_role(member=other, by=mine, role=Role.MEMBER)

    results = together(act, 2)
    assert Counter(type(result) for result in results)[type(None)] == 1
    assert Membership.objects.filter(role=Role.OWNER).count() == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_owners_who_leave_at_once_leave_one(acme):
    owners = [factories.join(factories.make_user(f"owner{number}"), acme, Role.OWNER) for number in range(20)]
    results = together(lambda number: leave(member=owners[number]), 20)
    assert Counter(type(result) for result in results) == {type(None): 19, NotPossible: 1}
    assert Membership.objects.count() == 1


def test_admins_are_who_looks_after_members(acme, anna, carol_in_acme, alice):
    factories.join(factories.make_user("dora", is_active=False), acme, Role.ADMIN)
    assert set(operations.admins_of(acme)) == {anna, carol_in_acme.user}
