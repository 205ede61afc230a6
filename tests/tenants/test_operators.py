"""Operators act in tenants that they do not belong to."""

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from tenants import access
from tenants.access import Action
from tenants.errors import NotAllowed
from tenants.models import Membership
from tests import factories

PERMISSION = "engines.change_instance"


def test_an_operator_may_do_everything_but_enter_and_no_membership_is_written(olga, acme):
    membership = access.as_operator(olga, acme, permission=PERMISSION)
    assert {action for action in Action if access.may(membership, action)} == set(Action) - {Action.VISIT, Action.TAKE_FILES}
    assert access.may_operate(membership, owner_id=0)
    assert not Membership.objects.filter(user=olga).exists()


def test_staff_need_the_permission(acme):
    staff = factories.make_user("sam", is_staff=True)
    with pytest.raises(NotAllowed):
        access.as_operator(staff, acme, permission=PERMISSION)
    staff.user_permissions.add(Permission.objects.get(content_type__app_label="engines", codename="change_instance"))
    staff = type(staff).objects.get(pk=staff.pk)
    assert access.as_operator(staff, acme, permission=PERMISSION).tenant == acme


@pytest.mark.parametrize(
    "fields", [{"is_staff": False, "is_superuser": True}, {"is_staff": True, "is_active": False, "is_superuser": True}]
)
def test_others_are_refused(acme, fields):
    with pytest.raises(NotAllowed):
        access.as_operator(factories.make_user("eve", **fields), acme, permission=PERMISSION)


def test_an_owner_is_no_operator(anna, acme):
    with pytest.raises(NotAllowed):
        access.as_operator(anna, acme, permission=PERMISSION)


def test_a_suspended_tenant_stops_members_and_not_operators(olga, anna_in_acme, acme):
    acme.suspended_at = timezone.now()
    acme.save()
    anna_in_acme.tenant.refresh_from_db()
    assert not access.may(anna_in_acme, Action.OPERATE)
    assert access.may(access.as_operator(olga, acme, permission=PERMISSION), Action.OPERATE)
