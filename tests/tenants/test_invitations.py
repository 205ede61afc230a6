"""Invitations: to whom, by whom, how often, and that each makes one member of the one whom it is for."""

import re
from collections import Counter
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import IntegrityError
from django.utils import timezone

from tenants.access import as_operator
from tenants.audit.models import AuditEvent
from tenants.errors import NotAllowed, NotPossible, NotVisible, QuotaExceeded
from tenants.invitations.models import Invitation
from tenants.invitations.queries import is_invited
from tenants.invitations.tokens import digest, token_of
from tenants.models import Membership, Role, Tenant, User
from tenants.notifications.models import Delivery, Notification
from tenants.notifications.outbox import deliver_due
from tenants.team.operations import change_role
from tenants.team.operations_invitations import (
    MAILS_PER_ADDRESS,
    NotYours,
    Unusable,
    accept_as_verified,
    accept_by_token,
    invite,
    make_account,
    resend,
    revoke,
)
from tenants.team.queries import invitations_of, invitations_to
from tests import factories
from tests.engines.test_races import together

ADDRESS = "Carol@Example.org"


@pytest.fixture
def admin(acme):
    return factories.join(factories.make_user("adam"), acme, Role.ADMIN)


@pytest.fixture
def carol(db):
    """Somebody with an account and no tenant."""
    return factories.make_user("carol")


def secret_of(invitation):
    """What the mail of the invitation has."""
    return token_of(Invitation.objects.get(pk=invitation.pk).issue)


def written():
    models = (Membership, User, AuditEvent, Notification, Delivery, EmailAddress, Invitation)
    return [sorted(model.objects.values_list(), key=str) for model in models]


def test_the_mail_has_the_link_and_the_database_has_not(acme, admin):
    invitation = invite(address=ADDRESS, role=Role.FINANCE, by=admin)
    assert deliver_due()
    [letter] = mail.outbox
    assert (letter.to, letter.subject) == (["Carol@example.org"], "adam invites you to Acme Studio")
    assert "You are invited as finance." in letter.body
    [token] = re.findall(r"http://portal\.localhost:8000/invitations/([0-9a-f]{64})/", letter.body)
    assert digest(token) == invitation.token_digest
    assert token not in str(written())
    assert invitation.expires_at - invitation.issued_at == timedelta(days=7)
    [event] = AuditEvent.objects.values_list("kind", "actor__username", "subject_name", "details")
    assert event == ("invitation.sent", "adam", "Carol@example.org", {"role": "finance"})


def test_nobody_learns_whether_the_address_has_an_account(acme, admin, carol, bob):
    """Both answers are the same, and so is what is written; only the rows' own names differ."""
    EmailAddress.objects.create(user=carol, email="carol@example.org", verified=True)
    known, unknown = (invite(address=each, role=Role.MEMBER, by=admin) for each in ("carol@example.org", "nobody@example.org"))
    assert {type(known), type(unknown)} == {Invitation}
    letters = Delivery.objects.order_by("pk").values_list("state", "user", "notification__kind", "notification__context")
    assert [each[:3] for each in letters] == [("pending", None, "invitation")] * 2
    assert [each[3].keys() for each in letters] == [{"by", "tenant", "role", "ends_at"}] * 2


@pytest.mark.parametrize("role", [Role.MEMBER, Role.FINANCE, Role.VIEWER])
def test_who_manages_no_members_invites_nobody(role, acme):
    by = factories.join(factories.make_user("dora"), acme, role)
    before = written()
    with pytest.raises(NotAllowed):
        invite(address=ADDRESS, role=Role.VIEWER, by=by)
    assert written() == before


def test_only_owners_invite_owners(admin, anna_in_acme):
    before = written()
    with pytest.raises(NotAllowed, match="Only an owner"):
        invite(address=ADDRESS, role=Role.OWNER, by=admin)
    assert written() == before
    invitation = invite(address=ADDRESS, role=Role.OWNER, by=anna_in_acme)
    for act in (lambda: resend(invitation=invitation, by=admin), lambda: revoke(invitation=invitation, by=admin)):
        with pytest.raises(NotAllowed, match="Only an owner"):
            act()


@pytest.mark.parametrize("again", ["carol@example.org", "CAROL@EXAMPLE.ORG"])
def test_one_invitation_for_each_address_whatever_its_case(again, admin):
    invite(address=ADDRESS, role=Role.MEMBER, by=admin)
    before = written()
    with pytest.raises(NotPossible, match="is invited already"):
        invite(address=again, role=Role.MEMBER, by=admin)
    assert written() == before


def test_the_database_holds_one_invitation_for_each_address(acme):
    factories.invite(acme, "carol@example.org")
    with pytest.raises(IntegrityError, match="invited_once"):
        factories.invite(acme, "CAROL@example.org")


def test_a_members_address_is_not_invited(admin, alice):
    with pytest.raises(NotPossible, match="belongs to a member"):
        invite(address="ALICE@example.org", role=Role.MEMBER, by=admin)


def test_a_suspended_tenant_invites_nobody_and_takes_nobody_in(acme, admin, carol):
    token = secret_of(invite(address=ADDRESS, role=Role.MEMBER, by=admin))
    Tenant.objects.update(suspended_at=timezone.now())
    with pytest.raises(NotAllowed, match="is suspended"):
        invite(address="dora@example.org", role=Role.MEMBER, by=admin)
    with pytest.raises(NotPossible, match="takes in nobody at the moment"):
        accept_by_token(token=token, user=carol)
    assert not Membership.objects.filter(user=carol).exists()


def test_there_is_a_limit_to_mail_by_day(settings, admin):
    settings.INVITATIONS_PER_DAY = 2
    for number in range(2):
        invite(address=f"person{number}@example.org", role=Role.MEMBER, by=admin)
    before = written()
    with pytest.raises(QuotaExceeded, match="has sent 2 invitations within a day"):
        invite(address="more@example.org", role=Role.MEMBER, by=admin)
    assert written() == before
    Notification.objects.update(created_at=timezone.now() - timedelta(days=1, seconds=1))
    invite(address="more@example.org", role=Role.MEMBER, by=admin)


def test_one_address_is_not_written_to_again_and_again(admin):
    invitation = invite(address=ADDRESS, role=Role.MEMBER, by=admin)
    for _ in range(MAILS_PER_ADDRESS - 1):
        resend(invitation=invitation, by=admin)
    with pytest.raises(QuotaExceeded, match="3 times within a day"):
        resend(invitation=invitation, by=admin)
    revoke(invitation=invitation, by=admin)
    with pytest.raises(QuotaExceeded, match="3 times within a day"):  # nor by a new invitation
        invite(address="carol@example.org", role=Role.MEMBER, by=admin)
    assert Delivery.objects.count() == MAILS_PER_ADDRESS


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_do_not_exceed_the_limit(settings, admin):
    settings.INVITATIONS_PER_DAY = 5
    results = together(lambda number: invite(address=f"person{number}@example.org", role=Role.MEMBER, by=admin), 20)
    assert Counter(type(result) for result in results) == {Invitation: 5, QuotaExceeded: 15}
    assert Delivery.objects.count() == Invitation.objects.count() == 5


def test_what_is_sent_again_has_a_new_link_and_new_time_and_the_old_mail_stays_here(admin, carol):
    invitation = invite(address=ADDRESS, role=Role.MEMBER, by=admin)
    old = secret_of(invitation)
    Invitation.objects.update(expires_at=timezone.now())
    resend(invitation=invitation, by=admin)
    assert deliver_due()
    assert list(Delivery.objects.order_by("pk").values_list("state", "problem")) == [("given_up", "withdrawn"), ("sent", "")]
    assert [old in letter.body for letter in mail.outbox] == [False]
    with pytest.raises(Unusable):
        accept_by_token(token=old, user=carol)
    assert accept_by_token(token=secret_of(invitation), user=carol).role == Role.MEMBER


def test_what_is_taken_back_is_not_sent_and_not_accepted(admin, carol):
    invitation = invite(address=ADDRESS, role=Role.MEMBER, by=admin)
    revoke(invitation=invitation, by=admin)
    assert deliver_due()
    assert mail.outbox == []
    with pytest.raises(Unusable):
        accept_by_token(token=secret_of(invitation), user=carol)
    with pytest.raises(NotVisible):
        resend(invitation=invitation, by=admin)
    assert not Membership.objects.filter(user=carol).exists()
    invite(address=ADDRESS, role=Role.MEMBER, by=admin)  # a new one may follow


def test_others_invitations_are_not_there(bolt, admin):
    theirs = factories.invite(bolt, "carol@example.org")
    for act in (resend, revoke):
        with pytest.raises(NotVisible):
            act(invitation=theirs, by=admin)


def test_who_accepts_is_a_member_with_a_proved_address_and_the_admins_are_told(acme, anna, admin, carol):
    invitation = invite(address=ADDRESS, role=Role.VIEWER, by=admin)
    member = accept_by_token(token=secret_of(invitation), user=carol)
    assert (member.tenant, member.user, member.role) == (acme, carol, "viewer")
    assert EmailAddress.objects.values_list("email", "verified", "primary").get(user=carol) == ("carol@example.org", True, True)
    told = Notification.objects.get(kind="member_joined")
    assert {str(each.user) for each in told.recipients.all()} == {"anna", "adam"}
    assert told.context == {"person": "carol", "address": "Carol@example.org", "role": "viewer"}
    invitation.refresh_from_db()
    assert (invitation.accepted_by, invitation.revoked_at) == (carol, None)
    assert AuditEvent.objects.order_by("pk").last().kind == "invitation.accepted"


def test_an_invitation_is_used_once(admin, carol, bob):
    token = secret_of(invite(address=ADDRESS, role=Role.MEMBER, by=admin))
    accept_by_token(token=token, user=carol)
    before = written()
    for again in (carol, bob):
        with pytest.raises(Unusable):
            accept_by_token(token=token, user=again)
    with pytest.raises(Unusable):
        make_account(token=token, username="dora", password="a-long-secret")
    assert written() == before


def test_an_invitation_runs_out(admin, carol):
    token = secret_of(invite(address=ADDRESS, role=Role.MEMBER, by=admin))
    Invitation.objects.update(expires_at=timezone.now())
    with pytest.raises(Unusable):
        accept_by_token(token=token, user=carol)


def gone(member):
    member.delete()


def demoted(member):
    Membership.objects.filter(pk=member.pk).update(role=Role.MEMBER)


def lapsed(member):
    Membership.objects.filter(pk=member.pk).update(provider="sso", lapsed_at=timezone.now())


def disabled(member):
    User.objects.filter(pk=member.user_id).update(is_active=False)


def erased(member):
    member.delete()
    Invitation.objects.update(invited_by=None)


@pytest.mark.parametrize("happen", [gone, demoted, lapsed, disabled, erased])
def test_an_invitation_does_not_outlive_its_inviters_right(happen, acme, anna_in_acme, carol):
    """Or else somebody could leave the door open for themselves, under another address."""
    boss = factories.join(factories.make_user("boss"), acme, Role.OWNER)
    invitation = invite(address=ADDRESS, role=Role.OWNER, by=boss)
    EmailAddress.objects.create(user=carol, email="carol@example.org", verified=True)
    happen(boss)
    token, before = secret_of(invitation), written()
    for accept in (
        lambda: accept_by_token(token=token, user=carol),
        lambda: accept_as_verified(slug=invitation.slug, user=carol),
        lambda: make_account(token=token, username="dora", password="a-long-secret"),
    ):
        with pytest.raises(Unusable):
            accept()
    assert written() == before
    assert not is_invited(ADDRESS)
    [row] = invitations_of(anna_in_acme)
    assert (row.invitation, row.is_open, invitations_to(carol)) == (invitation, False, [])
    resend(invitation=invitation, by=anna_in_acme)
    assert accept_by_token(token=secret_of(invitation), user=carol).role == Role.OWNER


def test_an_admin_who_was_an_owner_brings_in_no_owner_any_more(acme, anna_in_acme, carol):
    boss = factories.join(factories.make_user("boss"), acme, Role.OWNER)
    as_owner, as_member = (
        invite(address=address, role=role, by=boss)
        for address, role in ((ADDRESS, Role.OWNER), ("dora@example.org", Role.MEMBER))
    )
    change_role(member=boss, by=anna_in_acme, role=Role.ADMIN)
    with pytest.raises(Unusable):
        accept_by_token(token=secret_of(as_owner), user=carol)
    dora = factories.make_user("dora")
    assert accept_by_token(token=secret_of(as_member), user=dora).role == Role.MEMBER


def test_what_an_operator_sent_lasts_as_long_as_they_are_one(acme, olga, carol):
    by = as_operator(olga, acme, permission="tenants.add_tenant")
    token = secret_of(invite(address=ADDRESS, role=Role.OWNER, by=by))
    User.objects.filter(pk=olga.pk).update(is_staff=False)
    with pytest.raises(Unusable):
        accept_by_token(token=token, user=carol)
    User.objects.filter(pk=olga.pk).update(is_staff=True)
    assert accept_by_token(token=token, user=carol).role == Role.OWNER


def test_an_invitation_brings_nobody_back_for_whom_their_provider_vouches_no_more(acme, admin, carol):
    invitation = invite(address=ADDRESS, role=Role.ADMIN, by=admin)
    Membership.objects.create(user=carol, tenant=acme, provider="sso", lapsed_at=timezone.now())
    before = written()
    with pytest.raises(NotYours, match="You belong to Acme Studio by your organisation’s sign-in"):
        accept_by_token(token=secret_of(invitation), user=carol)
    assert written() == before


def test_another_persons_account_cannot_accept(admin, bob):
    token = secret_of(invite(address=ADDRESS, role=Role.MEMBER, by=admin))
    before = written()
    with pytest.raises(NotYours, match=r"is for Carol@example\.org"):
        accept_by_token(token=token, user=bob)
    assert written() == before


@pytest.mark.parametrize("guess", ["", "0" * 64, "carol@example.org", "../admin"])
def test_a_guess_opens_nothing(guess, admin, carol):
    invite(address=ADDRESS, role=Role.MEMBER, by=admin)
    with pytest.raises(Unusable):
        accept_by_token(token=guess, user=carol)


def test_without_the_link_only_a_proved_address_accepts(admin, carol, bob):
    invitation = invite(address=ADDRESS, role=Role.MEMBER, by=admin)
    EmailAddress.objects.create(user=carol, email="carol@example.org", verified=False)
    EmailAddress.objects.create(user=bob, email="bob@example.org", verified=True)
    for person in (carol, bob):
        with pytest.raises(NotVisible):
            accept_as_verified(slug=invitation.slug, user=person)
    EmailAddress.objects.update(verified=True)
    assert accept_as_verified(slug=invitation.slug, user=carol).role == "member"


def test_a_new_person_makes_an_account_with_the_invited_address(acme, admin):
    token = secret_of(invite(address=ADDRESS, role=Role.MEMBER, by=admin))
    user, member = make_account(token=token, username="carol", password="a-long-secret")
    assert (user.email, user.check_password("a-long-secret"), user.is_staff) == ("Carol@example.org", True, False)
    assert (member.tenant, member.role) == (acme, "member")
    assert EmailAddress.objects.values_list("email", "verified").get(user=user) == ("carol@example.org", True)
    kinds = list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["invitation.sent", "account.created", "invitation.accepted"]


@pytest.mark.parametrize("username", ["alice", "ALICE"])
def test_a_name_that_somebody_has_is_refused_and_the_invitation_waits(username, admin, alice):
    invitation = invite(address=ADDRESS, role=Role.MEMBER, by=admin)
    before = written()
    with pytest.raises(NotPossible, match="choose another name"):
        make_account(token=secret_of(invitation), username=username, password="a-long-secret")
    assert written() == before


def test_no_second_account_for_an_address(admin, carol):
    token = secret_of(invite(address=ADDRESS, role=Role.MEMBER, by=admin))
    with pytest.raises(NotPossible, match="sign in"):
        make_account(token=token, username="another", password="a-long-secret")
    assert User.objects.filter(email__iexact=ADDRESS).count() == 1


def test_who_is_a_member_already_keeps_their_role(acme, anna_in_acme, admin, carol):
    invitation = invite(address=ADDRESS, role=Role.ADMIN, by=admin)
    factories.join(carol, acme, Role.VIEWER)
    assert accept_by_token(token=secret_of(invitation), user=carol).role == "viewer"
    assert not Notification.objects.filter(kind="member_joined").exists()
    invitation.refresh_from_db()
    assert invitation.accepted_at is not None


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_make_one_member(admin, carol):
    token = secret_of(invite(address=ADDRESS, role=Role.MEMBER, by=admin))
    results = together(lambda _number: accept_by_token(token=token, user=carol), 20)
    assert Counter(type(result) for result in results) == {Membership: 1, Unusable: 19}
    assert Membership.objects.filter(user=carol).count() == 1
    assert AuditEvent.objects.filter(kind="invitation.accepted").count() == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_make_one_account(admin):
    token = secret_of(invite(address=ADDRESS, role=Role.MEMBER, by=admin))
    results = together(lambda n: make_account(token=token, username=f"carol{n}", password="a-long-secret")[1], 20)
    assert Counter(type(result) for result in results) == {Membership: 1, Unusable: 19}
    assert User.objects.filter(email__iexact=ADDRESS).count() == 1
