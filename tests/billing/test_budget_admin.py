"""Operators look at budgets, and lift them."""

from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from billing.models import Budget
from tenants.audit.models import AuditEvent
from tenants.models import Tenant, User
from tests import factories
from tests.billing.budgets import make

LIFTED = {"amount": "500", "action": "block", "grace_minutes": "30", "active": "on"}
NO_ALERTS = {"alerts-TOTAL_FORMS": "0", "alerts-INITIAL_FORMS": "0"}


@pytest.fixture
def budget(acme: Tenant, anna: User) -> Budget:
    return make(acme, made_by=anna, action="block", name="Spring")


def test_an_operator_lifts_one_and_that_is_recorded(budget: Budget, olga: User, client: Client) -> None:
    client.force_login(olga)
    address = reverse("admin:billing_budget_change", args=[budget.pk])
    assert "Spring" in client.get(address).content.decode()
    assert "Spring" in client.get(reverse("admin:billing_budget_changelist")).content.decode()
    assert client.post(address, LIFTED | NO_ALERTS).status_code == 302
    budget.refresh_from_db()
    assert (budget.amount, budget.action, budget.name) == (Decimal(500), "block", "Spring")
    event = AuditEvent.objects.get(kind="budget.changed")
    assert (event.actor, event.tenant, event.details) == (olga, budget.tenant, {"amount": ["USD 100.00", "USD 500.00"]})
    client.post(address, LIFTED | NO_ALERTS | {"active": ""})
    assert not Budget.objects.get().active


def test_without_the_right_it_can_only_be_looked_at(budget: Budget, client: Client) -> None:
    client.force_login(factories.make_operator("otto", "billing.view_budget"))
    address = reverse("admin:billing_budget_change", args=[budget.pk])
    assert client.get(address).status_code == 200
    assert client.post(address, LIFTED | NO_ALERTS).status_code == 403
    assert client.get(reverse("admin:billing_budget_changelist").replace("budget/", "budget/add/")).status_code == 403
    assert Budget.objects.get().amount == 100
