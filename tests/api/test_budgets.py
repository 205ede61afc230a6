"""Budgets through the API, and what they refuse there."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.utils import timezone

from billing.manual import add_adjustment
from billing.models import Budget
from billing.operations import set_price
from engines.models import Cluster, EngineVersion, GpuClass, Instance
from tenants.audit.models import AuditEvent
from tenants.models import Role, Tenant, User
from tests import factories
from tests.api.conftest import Program
from tests.billing.budgets import make
from tests.billing.facts import BEGINNING

PATH = "/tenants/acme/billing/budgets"


@pytest.fixture
def finance(acme: Tenant, program_of: Callable[..., Program]) -> Program:
    fred = factories.make_user("fred")
    factories.join(fred, acme, Role.FINANCE)
    return program_of(fred)


def test_add_read_change_and_delete(finance: Program, acme: Tenant, alice: User) -> None:
    add_adjustment(tenant=acme, amount=Decimal("30.5"), reason="test", now=timezone.now())
    made = finance("POST", PATH, {"name": "All", "amount": "61", "thresholds": [80, 50, 50], "action": "pause"})
    assert made.status_code == 201, made.content
    found = made.json()
    assert {name: found[name] for name in ("scope", "person", "project", "gpuClass", "currency", "amount", "recurrence")} == {
        "scope": "tenant",
        "person": None,
        "project": "",
        "gpuClass": None,
        "currency": "USD",
        "amount": "61.000000000",
        "recurrence": "month",
    }
    assert (found["thresholds"], found["action"], found["graceMinutes"], found["active"]) == ([50, 80], "pause", 30, True)
    standing = found["standing"]
    assert (standing["spent"], standing["left"], standing["usedPercent"]) == ("30.500000000", "30.500000000", 50)
    assert (standing["hoursLeft"], standing["told"], standing["pausesAt"]) == (None, [50], None)
    path = f"{PATH}/{found['id']}"
    changed = finance("PATCH", path, {"person": "alice", "amount": "7.25"}).json()
    assert (changed["scope"], changed["person"], changed["amount"], changed["name"]) == ("person", "alice", "7.250000000", "All")
    assert changed["standing"]["spent"] == "0.000000000"
    assert finance("PATCH", path, {"person": "", "project": "Spring"}).json()["scope"] == "project"
    assert [each["id"] for each in finance("GET", PATH).json()["items"]] == [found["id"]]
    assert finance("GET", path).json()["project"] == "Spring"
    assert finance("DELETE", path).status_code == 204
    assert finance("GET", path).status_code == 404
    kinds = AuditEvent.objects.filter(kind__startswith="budget.").order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["budget.made", "budget.changed", "budget.changed", "budget.deleted"]


def test_an_amount_that_stays_keeps_its_currency(finance: Program, acme: Tenant) -> None:
    path = f"{PATH}/{make(acme, '10000', currency='JPY').pk}"
    renamed = finance("PATCH", path, {"name": "Tokyo", "active": False}).json()
    assert (renamed["name"], renamed["amount"], renamed["currency"]) == ("Tokyo", "10000.000000000", "JPY")
    assert finance("PATCH", path, {"amount": "70"}).json()["currency"] == "USD"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"name": "taken"}, 409, "name-taken"),
        ({"amount": "0"}, 422, "invalid"),
        ({"amount": "1.001"}, 409, "unavailable"),  # dollars have two decimals
        ({"person": "bob"}, 422, "invalid"),
        ({"gpuClass": "unheard-of"}, 422, "invalid"),
        ({"project": "Spring", "person": "alice"}, 409, "unavailable"),
        ({"basis": "forecast", "action": "block"}, 409, "unavailable"),
        ({"thresholds": []}, 422, "invalid"),
        ({"thresholds": [0]}, 422, "invalid"),
        ({"budget": 1}, 422, "invalid"),
    ],
)
@pytest.mark.usefixtures("alice", "bob")
def test_what_makes_no_sense_is_refused(
    change: dict[str, object], status: int, code: str, finance: Program, acme: Tenant
) -> None:
    make(acme, name="Taken")
    answer = finance("POST", PATH, {"name": "Other", "amount": "5"} | change)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert Budget.objects.count() == 1


def test_members_see_what_concerns_them_and_no_amounts_but_their_own(
    acme: Tenant, bolt: Tenant, alice: User, anna: User, cluster: Cluster, program_of: Callable[..., Program]
) -> None:
    factories.make_instance(acme, alice, cluster, tag="Spring")
    for name, fields in {
        "all": {},
        "hers": {"person": alice},
        "anna's": {"person": anna},
        "spring": {"tag": "spring"},
        "autumn": {"tag": "Autumn"},
        "class": {"gpu_class": factories.make_gpu_class()},
    }.items():
        make(acme, name=name, made_by=anna, **fields)
    make(bolt, name="elsewhere", made_by=anna)
    items = program_of(alice)("GET", PATH).json()["items"]
    assert {each["name"]: each["amount"] for each in items} == {
        "all": None,
        "hers": "100.000000000",
        "spring": None,
        "class": None,
    }
    assert {each["standing"]["usedPercent"] for each in items} == {0}
    assert len(program_of(anna)("GET", PATH).json()["items"]) == 6
    hidden = Budget.objects.get(name="autumn")
    assert program_of(alice)("GET", f"{PATH}/{hidden.pk}").status_code == 404


def test_a_launch_without_room_is_a_problem_of_its_own(
    acme: Tenant, alices: Program, cluster: Cluster, engine_version: EngineVersion, gpu_class: GpuClass
) -> None:
    set_price(gpu_class=gpu_class, per_hour=Decimal(2), starts_at=BEGINNING)
    make(acme, "1", action="block", name="All")
    answer = alices("POST", "/tenants/acme/instances", {"engine": "double", "gpu_class": "cpu-small"})
    assert (answer.status_code, answer.json()["code"]) == (409, "budget-reached")
    assert answer.json()["detail"].startswith("The budget “All” leaves no room for this: 0 % of it is spent.")
    assert not Instance.objects.exists()
