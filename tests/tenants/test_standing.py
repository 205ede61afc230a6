"""A tenant begins, is named, stands still and ends."""

from datetime import timedelta

import pytest
from django.urls import get_resolver
from django.utils import timezone

from tenants import access
from tenants.access import Action
from tenants.audit.models import AuditEvent
from tenants.errors import NotAllowed, NotPossible, NotVisible
from tenants.invitations.models import Invitation
from tenants.models import Membership, Role, Tenant
from tenants.names import BadName
from tenants.notifications.models import Notification
from tenants.team.operations_tenant import (
    RESERVED,
    ask_for_deletion,
    end_due_tenants,
    end_tenant,
    found_tenant,
    keep_tenant,
    rename_tenant,
    resume_tenant,
    suspend_tenant,
)
from tests import factories
from tests.engines.test_races import together

LOOKING = {Action.SEE, Action.SEE_TEAM, Action.SEE_COSTS, Action.SEE_AUDIT}


@pytest.fixture
def operator(olga, acme):
    return access.as_operator(olga, acme, permission="tenants.change_tenant")


def fresh(membership):
    return access.membership_in(membership.user, membership.tenant.slug)


def left_to(membership):
    return {action for action in Action if access.may(fresh(membership), action)}


def audit():
    return list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))


def told():
    return list(Notification.objects.order_by("created_at").values_list("kind", "recipients__user__username"))


def test_operators_suspend_with_a_reason_and_lift_it(acme, operator, anna_in_acme):
    suspend_tenant(by=operator, reason="  The bill  is not paid. ")
    acme.refresh_from_db()
    assert (acme.suspended_at is not None, acme.suspended_reason) == (True, "The bill is not paid")
    assert left_to(anna_in_acme) == LOOKING
    with pytest.raises(NotPossible, match="is suspended already"):
        suspend_tenant(by=operator, reason="again")
    resume_tenant(by=operator)
    acme.refresh_from_db()
    assert (acme.suspended_at, acme.suspended_reason) == (None, "")
    assert left_to(anna_in_acme) == set(Action)
    with pytest.raises(NotPossible, match="is not suspended"):
        resume_tenant(by=operator)
    assert audit() == ["tenant.suspended", "tenant.resumed"]
    assert told() == [("tenant_suspended", "anna"), ("tenant_resumed", "anna")]


def test_a_suspension_has_a_reason(operator, acme):
    with pytest.raises(NotPossible, match="Say why"):
        suspend_tenant(by=operator, reason=" . ")
    assert not Tenant.objects.exclude(suspended_at=None).exists()


def test_owners_neither_suspend_nor_lift_it(acme, anna_in_acme):
    with pytest.raises(NotAllowed):
        suspend_tenant(by=anna_in_acme, reason="I want to")
    Tenant.objects.update(suspended_at=timezone.now())
    with pytest.raises(NotAllowed):
        resume_tenant(by=fresh(anna_in_acme))
    assert audit() == []


def test_deletion_waits_and_can_be_taken_back(settings, acme, anna_in_acme):
    settings.TENANT_GRACE_DAYS = 3
    due_at = ask_for_deletion(by=anna_in_acme, name="Acme Studio")
    assert timedelta(days=2, hours=23) < due_at - timezone.now() <= timedelta(days=3)
    assert left_to(anna_in_acme) == LOOKING | {Action.MANAGE_TENANT, Action.TAKE_FILES}
    assert not end_tenant(acme.pk, timezone.now())
    with pytest.raises(NotPossible, match="is to be deleted already"):
        ask_for_deletion(by=fresh(anna_in_acme), name="Acme Studio")
    with pytest.raises(NotPossible, match="nothing changes in it"):
        rename_tenant(by=fresh(anna_in_acme), name="Another")
    keep_tenant(by=fresh(anna_in_acme))
    assert left_to(anna_in_acme) == set(Action)
    assert audit() == ["tenant.deletion_asked", "tenant.kept"]
    with pytest.raises(NotPossible, match="is not to be deleted"):
        keep_tenant(by=fresh(anna_in_acme))


def test_the_suspension_of_an_operator_outlasts_the_owners_change_of_mind(acme, operator, anna_in_acme):
    ask_for_deletion(by=anna_in_acme, name="Acme Studio")
    suspend_tenant(by=operator, reason="Fraud")
    with pytest.raises(NotAllowed, match="is suspended"):
        keep_tenant(by=fresh(anna_in_acme))
    keep_tenant(by=operator)
    assert left_to(anna_in_acme) == LOOKING


@pytest.mark.parametrize("name", ["", "acme studio", "acme", "Bolt Pictures"])
def test_another_name_deletes_nothing(name, bolt, anna_in_acme):
    with pytest.raises(NotPossible, match="Type the name exactly"):
        ask_for_deletion(by=anna_in_acme, name=name)
    assert audit() == []


@pytest.mark.parametrize("role", [Role.ADMIN, Role.MEMBER, Role.FINANCE, Role.VIEWER])
def test_only_owners_rename_and_delete(role, acme):
    by = factories.join(factories.make_user("dora"), acme, role)
    for act in (
        lambda: rename_tenant(by=by, name="Mine"),
        lambda: ask_for_deletion(by=by, name="Acme Studio"),
        lambda: keep_tenant(by=by),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert audit() == []


def test_what_is_due_ends_and_leaves_its_books_and_its_slug(acme, bolt, bob, anna, alice, anna_in_acme):
    factories.invite(acme, "carol@example.org")
    ask_for_deletion(by=anna_in_acme, name="Acme Studio")
    Tenant.objects.filter(pk=acme.pk).update(deletion_due_at=timezone.now())
    with pytest.raises(NotPossible, match="too late"):
        keep_tenant(by=fresh(anna_in_acme))
    assert end_due_tenants(timezone.now()) == 1
    assert end_due_tenants(timezone.now()) == 0
    acme.refresh_from_db()
    assert (acme.deleted_at is not None, acme.slug) == (True, "acme")
    assert list(Membership.objects.values_list("user__username", flat=True)) == ["bob"]
    assert not Invitation.objects.exists()
    assert audit() == ["tenant.deletion_asked", "tenant.deleted"]
    assert AuditEvent.objects.last() is not None
    with pytest.raises(NotVisible):
        access.membership_in(anna, "acme")
    with pytest.raises(NotVisible):
        keep_tenant(by=anna_in_acme)


def test_a_new_tenant_invites_its_first_owner(olga):
    tenant = found_tenant(tenant=Tenant(slug="nova", name=" Nova\u200b  Films "), by=olga, owner_address="nora@example.org")
    assert (tenant.name, tenant.slug) == ("Nova Films", "nova")
    invitation = Invitation.objects.get()
    assert (invitation.tenant, invitation.address, invitation.role) == (tenant, "nora@example.org", "owner")
    assert audit() == ["tenant.founded", "invitation.sent"]
    assert not Membership.objects.exists()


@pytest.mark.parametrize("slug", sorted(RESERVED))
def test_a_tenant_has_no_address_of_the_portals_own(slug, olga):
    with pytest.raises(BadName, match="own addresses"):
        found_tenant(tenant=Tenant(slug=slug, name="Nova"), by=olga)


@pytest.mark.parametrize("slug", ["Nova", "nova_films", "-nova", "nova-", ""])
def test_a_slug_is_a_word_that_clusters_take_for_a_name(slug, olga):
    with pytest.raises(BadName, match="small letters"):
        found_tenant(tenant=Tenant(slug=slug, name="Nova"), by=olga)
    assert not Tenant.objects.exists()


def test_every_address_of_the_portals_own_is_reserved():
    routes = [str(each.pattern) for each in get_resolver().url_patterns]
    own = {first for first in (route.partition("/")[0] for route in routes) if first and "<" not in first}
    assert own - RESERVED == set()


@pytest.mark.parametrize("name", ["ACME STUDIO", "Acme  Studio", "Ａcme Studio"])
def test_no_second_tenant_of_a_name(name, acme, bolt, olga, bob_in_bolt):
    with pytest.raises(BadName, match="of this name already"):
        found_tenant(tenant=Tenant(slug="other", name=name), by=olga)
    with pytest.raises(BadName, match="of this name already"):
        rename_tenant(by=bob_in_bolt, name=name)
    bolt.refresh_from_db()
    assert (bolt.name, Tenant.objects.count()) == ("Bolt Pictures", 2)


def test_a_tenant_may_change_the_case_of_its_own_name_and_keeps_its_slug(acme, anna_in_acme):
    rename_tenant(by=anna_in_acme, name="ACME studio")
    acme.refresh_from_db()
    assert (acme.name, acme.slug) == ("ACME studio", "acme")
    event = AuditEvent.objects.get()
    assert (event.kind, event.subject_name, event.details) == ("tenant.renamed", "ACME studio", {"from": "Acme Studio"})


@pytest.mark.django_db(transaction=True)
def test_of_two_tenants_that_take_a_name_at_once_one_has_it(acme, bolt, anna_in_acme, bob_in_bolt):
    both = [anna_in_acme, bob_in_bolt]
    results = together(lambda number: rename_tenant(by=both[number], name=["Nova", "NOVA"][number]), 2)
    assert sorted(type(result).__name__ for result in results) == ["BadName", "NoneType"]
    assert Tenant.objects.filter(name__iexact="nova").count() == 1
