"""The Budgets tab: what is spent, for whoever may see it, and the form that makes and changes budgets."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from billing.budgets.operations import change_budget, make_budget, wanted_of
from billing.errors import BudgetRefused
from billing.manual import add_adjustment
from billing.models import Budget
from tenants.models import Membership, Role, Tenant, User
from tests import factories
from tests.billing.budgets import make

TYPED = {
    "name": "Spring campaign",
    "scope": "project",
    "tag": "Spring",
    "person": "",
    "gpu_class": "",
    "amount": "900",
    "recurrence": "quarter",
    "thresholds": "100, 50 % 80",
    "basis": "actual",
    "action": "pause",
    "grace_minutes": "15",
    "active": "on",
}


@pytest.fixture
def finance(acme: Tenant, client: Client) -> Client:
    fred = factories.make_user("fred")
    factories.join(fred, acme, Role.FINANCE)
    client.force_login(fred)
    return client


def shown(client: Client, address: str = "/acme/costs/budgets/") -> str:
    return " ".join(client.get(address).content.decode().split())


def test_without_any_it_says_what_they_are_for(finance: Client, alice: User) -> None:
    assert "/acme/costs/budgets/new/" in shown(finance)
    finance.force_login(alice)
    assert "Nobody has set a budget that concerns you." in shown(finance)
    assert "/acme/costs/budgets/new/" not in shown(finance)


def test_what_is_typed_becomes_a_budget_and_is_there_to_be_changed(finance: Client, acme: Tenant) -> None:
    answer = finance.post("/acme/costs/budgets/new/", TYPED)
    assert (answer.status_code, answer["Location"]) == (302, "/acme/costs/budgets/")
    budget = Budget.objects.get()
    assert (budget.name, budget.tag, budget.amount, budget.currency) == ("Spring campaign", "Spring", 900, "USD")
    assert (budget.recurrence, budget.thresholds, budget.action, budget.grace_minutes) == ("quarter", [50, 80, 100], "pause", 15)
    form = shown(finance, f"/acme/costs/budgets/{budget.pk}/")
    assert 'value="900"' in form
    assert 'value="50, 80, 100"' in form
    finance.post(f"/acme/costs/budgets/{budget.pk}/", TYPED | {"amount": "12.50", "active": ""})
    budget.refresh_from_db()
    assert (budget.amount, budget.active) == (Decimal("12.5"), False)
    assert 'value="12.50"' in shown(finance, f"/acme/costs/budgets/{budget.pk}/")
    assert "not in force" in shown(finance)
    finance.post(f"/acme/costs/budgets/{budget.pk}/delete/")
    assert not Budget.objects.exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"scope": "person"}, "Choose a person."),
        ({"tag": ""}, "Name the project."),
        ({"tag": 'a "quoted" one'}, "neither double quotes"),
        ({"scope": "gpu_class"}, "Choose a GPU class."),
        ({"amount": "-1"}, "An amount is above 0"),
        ({"amount": "1.005"}, "has at most 2 decimals"),
        ({"amount": "1,50"}, "with a point before the decimals"),
        ({"amount": "1,234.50"}, "nothing between thousands"),
        ({"amount": "NaN"}, "Write it in digits"),
        ({"amount": "9" * 40}, "An amount is above 0 and below a thousand million."),
        ({"amount": "1e-400"}, "has at most 2 decimals"),
        ({"thresholds": "half"}, "Whole numbers between commas"),
        ({"thresholds": "0"}, "between 1 and 1000 per cent"),
        ({"basis": "forecast"}, "A forecast can only be told"),
        ({"name": "TAKEN"}, "There is a budget “TAKEN” already."),
    ],
)
def test_a_refusal_keeps_what_was_typed(change: dict[str, str], sentence: str, finance: Client, acme: Tenant) -> None:
    make(acme, name="Taken")
    answer = finance.post("/acme/costs/budgets/new/", TYPED | change)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in page
    assert f'value="{(TYPED | change)["name"]}"' in page
    assert f'value="{(TYPED | change)["amount"]}"' in page
    assert Budget.objects.count() == 1


def test_an_amount_is_typed_as_text(finance: Client) -> None:
    """A browser's number field makes 150 of what is typed as 1,50."""
    assert '<input type="text" name="amount" inputmode="decimal"' in shown(finance, "/acme/costs/budgets/new/")


def test_members_read_per_cent_and_money_of_their_own_alone(finance: Client, acme: Tenant, alice: User) -> None:
    add_adjustment(tenant=acme, amount=Decimal("41.70"), reason="test", now=timezone.now())
    make(acme, name="Everything")
    make(acme, "7", name="Hers", person=alice)
    assert "USD 41.70" in shown(finance)
    finance.force_login(alice)
    page = shown(finance)
    assert "USD 41.70" not in page
    assert "USD 100.00" not in page
    assert "41 %" in page
    assert "of USD 7.00" in page
    assert "Change" not in page


def test_a_budget_of_somebody_who_left_can_be_changed(acme: Tenant, alice: User, anna_in_acme: Membership) -> None:
    budget = make(acme, person=alice)
    alice.memberships.all().delete()
    changed = change_budget(by=anna_in_acme, budget=budget, wanted=replace(wanted_of(budget), active=False))
    assert (changed.person, changed.active) == (alice, False)
    with pytest.raises(BudgetRefused, match="no such member"):
        make_budget(by=anna_in_acme, wanted=replace(wanted_of(budget), name="Another"))


def test_names_are_text(finance: Client, acme: Tenant) -> None:
    make(acme, name="<b>Spring</b>", tag="<i>film</i>")
    page = shown(finance)
    assert "<b>Spring" not in page
    assert "<i>film" not in page
    assert "&lt;b&gt;Spring&lt;/b&gt;" in page


def test_each_budget_takes_three_queries_while_nothing_lasts(finance: Client, acme: Tenant, django_assert_num_queries) -> None:
    make(acme)
    finance.get("/acme/costs/budgets/")
    with django_assert_num_queries(14):
        finance.get("/acme/costs/budgets/")
    make(acme, tag="Spring")
    with django_assert_num_queries(17):
        finance.get("/acme/costs/budgets/")
