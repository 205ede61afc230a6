"""What would be charged, before it is."""

from collections.abc import Callable
from decimal import Decimal

from billing.models import Budget
from billing.operations import set_price, set_storage_price, settle
from engines.models import GpuClass, Instance
from tenants.models import Tenant
from tests import factories
from tests.billing.api.conftest import NOW, Ask
from tests.billing.budgets import make
from tests.billing.facts import BEGINNING, moment, record


def test_an_estimate_counts_changes_that_are_set(ask: Ask, h100: GpuClass, acme: Tenant) -> None:
    set_price(gpu_class=h100, per_hour=Decimal("3.00"), starts_at=moment("2026-03-10T13:00:00"))
    set_storage_price(per_hour=Decimal("0.001"), starts_at=BEGINNING)
    answer = ask("estimate", gpuClass="h100", hours="1.5", storageGib="100", startsAt="2026-03-10T12:30:00Z").json()
    assert {name: answer[name] for name in answer if name != "stretches"} == {
        "isEstimate": True,
        "pricedAt": "2026-03-10T12:20:30Z",
        "startsAt": "2026-03-10T12:30:00Z",
        "endsAt": "2026-03-10T14:00:00Z",
        "timeZone": "UTC",
        "currency": "USD",
        "totalCost": "4.400000000",
        "listCost": "4.400000000",
        "budget": None,
    }
    fields = ("category", "seconds", "quantity", "pricePerHour", "amount")
    assert [tuple(each[name] for name in fields) for each in answer["stretches"]] == [
        ("gpu", 1800, "1", "2.500000000", "1.250000000"),
        ("gpu", 3600, "1", "3.000000000", "3.000000000"),
        ("storage", 5400, "100", "0.001000000", "0.150000000"),
    ]


def test_an_estimate_is_what_will_be_charged(ask: Ask, make_running: Callable[..., Instance]) -> None:
    estimated = ask("estimate", gpuClass="h100", hours="2.3436", startsAt="2026-03-10T07:50:07Z").json()["totalCost"]
    poster = make_running(name="poster")
    record(poster, "ready", moment("2026-03-10T07:50:07"))
    record(poster, "ended", moment("2026-03-10T10:10:43"))
    settle(poster.pk, now=NOW)
    assert ask("allocation", window="today").json()["total"]["totalCost"] == estimated


def test_an_estimate_without_a_price(ask: Ask, db: None) -> None:
    factories.make_gpu_class("l4", name="L4")
    answer = ask("estimate", gpuClass="l4", hours="1").json()
    assert (answer["totalCost"], answer["stretches"][0]["amount"], answer["stretches"][0]["pricePerHour"]) == (None, None, None)


def test_an_estimate_says_what_a_budget_leaves(ask: Ask, h100: GpuClass, acme: Tenant) -> None:
    make(acme, "5", action="block", name="Film", tag="Spring")
    assert ask("estimate", gpuClass="h100", hours="1", project="Spring").json()["budget"] == {
        "name": "Film",
        "hoursLeft": "2.0",
        "hasRoom": True,
    }
    Budget.objects.update(amount=1)
    assert ask("estimate", gpuClass="h100", hours="1", project="spring").json()["budget"]["hasRoom"] is False
    assert ask("estimate", gpuClass="h100", hours="1").json()["budget"] is None
