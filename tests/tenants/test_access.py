"""Who may see and do what."""

import pytest
from django.utils import timezone

from tenants import access
from tenants.access import Action
from tenants.errors import NotAllowed, NotVisible
from tenants.models import Membership, Role, Tenant
from tests import factories

LOOK = {Action.SEE, Action.SEE_TEAM}
WORK = LOOK | {Action.LAUNCH, Action.VISIT, Action.TAKE_FILES, Action.OPERATE}
EXPECTED = {
    Role.OWNER: set(Action),
    Role.ADMIN: set(Action) - {Action.MANAGE_TENANT},
    Role.MEMBER: WORK,
    Role.FINANCE: LOOK | {Action.SEE_COSTS, Action.MANAGE_BUDGETS},
    Role.VIEWER: LOOK,
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action)
def test_what_each_role_may_do(role, action):
    member = Membership(role=role, tenant=Tenant(pk=1, slug="x", name="X"))
    assert access.may(member, action) == (action in EXPECTED[role])


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action)
def test_a_suspended_tenant_may_only_look(role, action):
    member = Membership(role=role, tenant=Tenant(pk=1, slug="x", name="X", suspended_at=timezone.now()))
    looking = LOOK | {Action.SEE_COSTS, Action.SEE_AUDIT}
    assert access.may(member, action) == (action in EXPECTED[role] & looking)


def test_membership_is_found_for_members_alone(alice, bob, acme):
    assert access.membership_in(alice, "acme").tenant == acme
    for user, slug in ((bob, "acme"), (alice, "bolt"), (alice, "nothing"), (alice, "ACME")):
        with pytest.raises(NotVisible):
            access.membership_in(user, slug)


def test_an_inactive_person_has_no_membership(alice):
    alice.is_active = False
    alice.save()
    with pytest.raises(NotVisible):
        access.membership_in(alice, "acme")


def test_one_operates_ones_own(alice_in_acme, anna_in_acme):
    assert access.may_operate(alice_in_acme, owner_id=alice_in_acme.user_id)
    assert not access.may_operate(alice_in_acme, owner_id=anna_in_acme.user_id)
    assert access.may_operate(anna_in_acme, owner_id=alice_in_acme.user_id)


def test_require_refuses_in_words(acme):
    viewer = factories.join(factories.make_user("vera"), acme, Role.VIEWER)
    access.require(viewer, Action.SEE)
    with pytest.raises(NotAllowed, match="Your role in Acme Studio does not allow this"):
        access.require(viewer, Action.LAUNCH)


def test_tenants_of_a_person(alice, bob, acme, bolt):
    assert list(access.tenants_of(alice)) == [acme]
    factories.join(alice, bolt)
    assert list(access.tenants_of(alice)) == [acme, bolt]
