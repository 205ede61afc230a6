"""Nothing starts for which a budget leaves no room, and of two that would both fit alone one is refused."""

from collections.abc import Callable
from datetime import time, timedelta
from decimal import Decimal

import pytest
from django.db.models import Q
from django.test import Client
from django.utils import timezone

from billing.budgets.standing import standings
from billing.errors import BudgetReached
from billing.manual import add_adjustment
from billing.models import Budget
from billing.operations import set_price, settle
from engines.models import Cluster, EngineVersion, GpuClass, Instance, InstanceEvent, Schedule, Volume
from engines.operations.instances import change_gpu_class, launch_instance, resume_instance
from engines.operations.schedules import fire_due
from engines.states import DesiredState, InstanceState
from tenants.models import Membership, Tenant, User
from tests import factories
from tests.billing.budgets import make
from tests.billing.facts import BEGINNING, record
from tests.engines.test_races import together

RESTS = {"state": InstanceState.STOPPED, "desired_state": DesiredState.STOPPED}


@pytest.fixture
def place(h100: GpuClass, make_cluster) -> Cluster:
    return make_cluster(slots=20, gpu_class=h100)


@pytest.fixture
def launch(alice_in_acme: Membership, place: Cluster, engine_version: EngineVersion, h100: GpuClass) -> Callable[..., Instance]:
    def run(number: int = 0, **options: object) -> Instance:
        choice = {"engine_version": engine_version, "gpu_class": h100, "name": f"Dragon {number}"}
        return launch_instance(membership=alice_in_acme, **choice | options)

    return run


def refusal(call: Callable[[], object]) -> str:
    before = Instance.objects.counted().count(), Volume.objects.count()
    with pytest.raises(BudgetReached) as refused:
        call()
    assert (Instance.objects.counted().count(), Volume.objects.count()) == before
    return str(refused.value)


@pytest.mark.parametrize(("spent", "fits"), [("7.5", True), ("7.500000001", False), ("10", False), ("0.01", True)])
def test_the_next_hour_has_to_fit_to_the_last_digit(spent: str, fits: bool, acme: Tenant, launch) -> None:
    make(acme, "10", action="block")
    add_adjustment(tenant=acme, amount=Decimal(spent), reason="test", now=timezone.now())
    if fits:
        assert launch().pk
    else:
        refusal(launch)


def test_what_runs_already_counts_for_an_hour_too(acme: Tenant, launch) -> None:
    make(acme, "7.5", action="block")
    for number in range(3):
        launch(number)
    assert "leaves no room" in refusal(lambda: launch(3))


def test_what_runs_is_counted_at_what_it_has_cost_by_now(
    acme: Tenant, alice: User, place: Cluster, h100: GpuClass, launch
) -> None:
    """Four hours that no book knows of yet."""
    budget = make(acme, "14.99", action="block")
    running = factories.make_instance(acme, alice, place, gpu_class=h100, state=InstanceState.RUNNING)
    record(running, "ready", timezone.now() - timedelta(hours=4))
    settle(running.pk, now=timezone.now())
    [[standing], _rates] = standings(acme, [budget], now=timezone.now())
    assert round(standing.spent.amount, 2) == 10
    assert standing.hours_left(standing.per_hour) == Decimal("1.0")
    refusal(lambda: launch(1))
    Budget.objects.update(amount=Decimal("15.1"))
    launch(1)


@pytest.mark.parametrize("about", ["another person", "another project", "another class", "notify", "inactive", "another tenant"])
def test_other_budgets_are_in_nobodys_way(about: str, acme: Tenant, bolt: Tenant, anna: User, launch) -> None:
    fields = {
        "another person": {"person": anna},
        "another project": {"tag": "Autumn"},
        "another class": {"gpu_class": factories.make_gpu_class("l4")},
        "notify": {"action": "notify"},
        "inactive": {"active": False},
        "another tenant": {},
    }[about]
    tenant = bolt if about == "another tenant" else acme
    make(tenant, "0.01", made_by=anna, **{"action": "block"} | fields)
    assert launch(tag="Spring").pk


def test_a_budget_of_a_project_refuses_that_project_however_it_is_spelled(acme: Tenant, launch) -> None:
    make(acme, "1", tag="Spring", action="block", name="Spring campaign")
    assert launch(0, tag="Autumn").pk
    for tag in ("Spring", "SPRING", " sPring  "):
        assert "“Spring campaign”" in refusal(lambda tag=tag: launch(1, tag=tag))


def test_resuming_is_refused_as_launching_is_and_raising_it_helps(
    acme: Tenant, alice: User, alice_in_acme: Membership, place: Cluster, h100: GpuClass
) -> None:
    resting = factories.make_instance(acme, alice, place, gpu_class=h100, **RESTS)
    budget = make(acme, "2", action="pause")
    refusal(lambda: resume_instance(instance=resting, by=alice_in_acme))
    for lifted in ({"active": False}, {"active": True, "amount": Decimal("2.5")}):
        Budget.objects.filter(pk=budget.pk).update(**lifted)
        resume_instance(instance=resting, by=alice_in_acme)
        assert Instance.objects.counted().count() == 1
        Instance.objects.update(**RESTS)


def test_a_dearer_class_has_to_fit_while_one_waits_for_it(
    acme: Tenant, alice: User, alice_in_acme: Membership, place: Cluster, h100: GpuClass
) -> None:
    dear = factories.make_gpu_class("dear")
    place.capacities.create(gpu_class=dear, slots=1)
    set_price(gpu_class=dear, per_hour=Decimal(9), starts_at=BEGINNING)
    waiting = factories.make_instance(acme, alice, place, gpu_class=h100, state=InstanceState.QUEUED)
    make(acme, "8.99", action="block")
    refusal(lambda: change_gpu_class(instance=waiting, by=alice_in_acme, gpu_class=dear))
    Budget.objects.update(amount=9)  # the class that it has now is not paid for beside
    change_gpu_class(instance=waiting, by=alice_in_acme, gpu_class=dear)


def test_members_are_not_told_what_others_cost(acme: Tenant, alice: User, anna_in_acme: Membership, launch, place, h100) -> None:
    make(acme, "1", action="block", name="Everything")
    assert refusal(launch) == (
        "The budget “Everything” leaves no room for this: 0 % of it is spent. "
        "An owner, an admin or finance of Acme Studio can raise it."
    )
    resting = factories.make_instance(acme, anna_in_acme.user, place, gpu_class=h100, **RESTS)
    assert "USD 0.00 of USD 1.00 is spent, and the next hour would cost USD 2.50 with it." in refusal(
        lambda: resume_instance(instance=resting, by=anna_in_acme)
    )


@pytest.mark.usefixtures("place")
def test_the_page_says_why(acme: Tenant, alice: User, engine_version: EngineVersion, client: Client) -> None:
    make(acme, "1", action="block", name="Everything")
    client.force_login(alice)
    typed = {"engine": "double", "version": engine_version.version, "gpu_class": "h100", "storage": "new", "size_gib": "1"}
    page = client.post("/acme/launch/", typed | {"name": "Dragon"})
    assert page.status_code == 422
    assert "The budget “Everything” leaves no room for this" in page.content.decode()
    assert not Instance.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scope", ["tenant", "person", "project"])
def test_two_racing_launches_never_both_pass(scope: str, acme: Tenant, alice: User, launch) -> None:
    make(acme, "4.99", action="block", **{"person": {"person": alice}, "project": {"tag": "Spring"}}.get(scope, {}))
    results = together(lambda number: launch(number, tag="Spring"), 8)
    assert sorted(type(each).__name__ for each in results) == ["BudgetReached"] * 7 + ["Instance"]
    assert Instance.objects.filter(Q(tag="Spring")).count() == 1


@pytest.mark.django_db(transaction=True)
def test_racing_resumes_and_postings_neither_pass_nor_hang(
    acme: Tenant, alice: User, alice_in_acme: Membership, place: Cluster, h100: GpuClass
) -> None:
    """While the books of the same account grow."""
    make(acme, "5", action="block")
    resting = [factories.make_instance(acme, alice, place, gpu_class=h100, **RESTS) for _ in range(6)]

    def act(number: int) -> object:
        if number % 2:
            return add_adjustment(tenant=acme, amount=Decimal("0.1"), reason="test", now=timezone.now())
        return resume_instance(instance=resting[number // 2], by=alice_in_acme)

    results = together(act, 12)
    names = sorted(type(each).__name__ for each in results)
    assert names.count("Charge") == 6
    assert 1 <= names.count("NoneType") <= 2
    assert names.count("BudgetReached") == 6 - names.count("NoneType")


def test_without_budgets_nothing_is_locked_or_added_up(launch, django_assert_max_num_queries) -> None:
    with django_assert_max_num_queries(60) as captured:
        launch()
    asked = [query["sql"] for query in captured.captured_queries]
    assert sum("billing_budget" in each for each in asked) == 1
    assert not any("billing_billingaccount" in each for each in asked)


def test_a_schedule_is_refused_as_a_person_is_and_says_so(
    acme: Tenant, alice: User, place: Cluster, h100: GpuClass, time_machine
) -> None:
    resting = factories.make_instance(acme, alice, place, gpu_class=h100, **RESTS)
    make(acme, "1", action="block", name="Everything")
    time_machine.move_to("2026-03-16T08:59:00Z", tick=False)  # a Monday
    when = {"action": "start", "days": 1, "at": time(9), "time_zone": "UTC", "done_until": timezone.now()}
    Schedule.objects.create(tenant=acme, instance=resting, made_by=alice, **when)
    time_machine.move_to("2026-03-16T09:00:30Z", tick=False)
    fire_due()
    event = InstanceEvent.objects.get()
    assert event.reason == "schedule_failed"
    assert "The budget “Everything” leaves no room for this" in event.evidence
    assert not Instance.objects.counted().exists()
