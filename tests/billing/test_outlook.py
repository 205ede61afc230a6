"""The overview looks ahead: what the month will probably come to, and how much of its budget that is."""

from datetime import timedelta
from decimal import Decimal

from django.test import Client

from billing.accounts import calendar_of
from billing.forecast import forecast
from billing.pages.outlook import outlook
from billing.queries import visible_to
from engines.models import Instance
from tenants.models import Membership, Tenant, User
from tests.billing.budgets import make, spend
from tests.billing.facts import moment

NOW = moment("2026-03-19T12:00:00")


def test_the_fullest_budget_about_exactly_these_costs(
    instance: Instance, acme: Tenant, alice: User, anna: User, alice_in_acme: Membership, anna_in_acme: Membership
) -> None:
    spend(instance, 4, end=NOW - timedelta(hours=2), run_id="one")
    calendar = calendar_of(acme)
    assert outlook(anna_in_acme, calendar, now=NOW).budget is None
    make(acme, "31", name="month")
    make(acme, "20", name="day", recurrence="day", active=False)
    make(acme, "90", name="quarter", recurrence="quarter")
    make(acme, "12", name="hers", person=alice)
    make(acme, "11", name="project", tag="Spring")
    found = outlook(anna_in_acme, calendar, now=NOW)
    assert found.forecast == forecast(visible_to(anna_in_acme), calendar, NOW)
    assert found.budget is not None
    assert (found.budget.budget.name, found.budget.used_percent) == ("month", 32)
    assert found.a_day is not None
    assert found.a_day.amount == 1  # 31 in 31 days, and 90 in 90
    own = outlook(alice_in_acme, calendar, now=NOW)
    assert own.budget is not None
    assert own.budget.budget.name == "hers"
    assert own.a_day is not None
    assert own.a_day.amount == Decimal("0.387096774")


def test_it_stands_on_the_overview_of_all_costs_alone(instance: Instance, acme: Tenant, anna: User, client: Client) -> None:
    spend(instance, 4, end=moment("2026-03-10T14:00:00"), run_id="one")
    make(acme, "31", name="Everything")
    client.force_login(anna)
    page = client.get("/acme/costs/").content.decode()
    assert "Probably this month" in page
    assert "Budget: Everything" in page
    narrowed = client.get("/acme/costs/?tag=Spring").content.decode()
    assert "Probably this month" not in narrowed
