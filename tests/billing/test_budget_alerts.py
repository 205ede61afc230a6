"""People are told once for each threshold, period and amount, whatever the books do meanwhile."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.budgets.evaluating import evaluate, evaluate_all, newly_crossed
from billing.budgets.standing import standings
from billing.manual import add_adjustment, add_credit
from billing.models import Budget, BudgetAlert
from billing.operations import set_price, settle
from engines.models import Instance, RunFact
from tenants.models import Role, Tenant, User
from tenants.notifications.models import Delivery, Notification
from tests import factories
from tests.billing.budgets import make, spend
from tests.billing.facts import BEGINNING, moment, record

NOW = moment("2026-03-19T12:00:00")


def told() -> list[tuple[str, int]]:
    rows = Notification.objects.filter(kind__startswith="budget").order_by("created_at")
    return [(row.kind, row.context["percent"]) for row in rows]


def put(tenant: Tenant, amount: str, now: datetime = NOW) -> None:
    number = Decimal(amount)
    if number > 0:
        add_adjustment(tenant=tenant, amount=number, reason="test", now=now)
    elif number < 0:
        add_credit(tenant=tenant, amount=-number, reason="test", now=now)


def test_each_threshold_is_told_once(acme: Tenant, anna: User) -> None:
    budget = make(acme, made_by=anna)
    for amount, expected in (("49.99", 0), ("0.01", 1), ("10", 0), ("20", 1), ("19.999999999", 0), ("0.000000001", 1), ("50", 0)):
        put(acme, amount)
        assert evaluate(budget.pk, now=NOW) == expected
        assert evaluate(budget.pk, now=NOW) == 0
    assert told() == [("budget_threshold", 50), ("budget_threshold", 80), ("budget_used_up", 100)]
    assert BudgetAlert.objects.count() == 3


def test_a_correction_that_drops_the_spend_and_a_rise_after_it_tell_nothing_new(instance: Instance, acme: Tenant) -> None:
    """Case 21: a run of 20 hours turns out to be one of 2, and then other runs make up for it."""
    budget = make(acme, "50", thresholds=[80])
    spend(instance, 20, end=NOW, run_id="long")
    assert evaluate(budget.pk, now=NOW) == 1
    wrong = RunFact.objects.get(run_id="long", kind="ended")
    record(instance, "ended", wrong.at - timedelta(hours=18), run_id="long", source="operator")
    spend(instance, 1, end=NOW + timedelta(hours=2), run_id="next")
    assert evaluate(budget.pk, now=NOW + timedelta(hours=3)) == 0
    put(acme, "60")
    assert evaluate(budget.pk, now=NOW + timedelta(hours=4)) == 0
    assert told() == [("budget_threshold", 80)]
    put(acme, "45", now=moment("2026-04-02T12:00:00"))
    assert evaluate(budget.pk, now=moment("2026-04-02T12:00:00")) == 1  # another period


def test_a_new_budget_tells_of_the_highest_alone(acme: Tenant, anna: User) -> None:
    put(acme, "120")
    budget = make(acme, made_by=anna, thresholds=[50, 80, 100, 120, 150])
    assert evaluate(budget.pk, now=NOW) == 4
    assert told() == [("budget_used_up", 120)]


def test_a_raised_amount_is_used_up_anew_and_the_former_one_stays_told(acme: Tenant, anna: User) -> None:
    budget = make(acme, made_by=anna, thresholds=[80])
    put(acme, "90")
    evaluate(budget.pk, now=NOW)
    for amount, alerts in (("200", 0), ("110", 1), ("100", 0), ("200", 0)):
        budget.amount = Decimal(amount)
        budget.save()
        assert evaluate(budget.pk, now=NOW) == alerts


def test_owners_admins_finance_and_the_person_concerned_are_told(acme: Tenant, anna: User, alice: User) -> None:
    finance, admin = factories.make_user("fred"), factories.make_user("ada")
    factories.join(finance, acme, Role.FINANCE)
    factories.join(admin, acme, Role.ADMIN)
    factories.join(factories.make_user("carol"), acme)
    budget = make(acme, "5", person=alice, made_by=anna, thresholds=[100])
    cluster = factories.make_cluster("/nowhere")
    instance = factories.make_instance(acme, alice, cluster)
    put(acme, "50")
    assert evaluate(budget.pk, now=NOW) == 0  # not hers

    set_price(gpu_class=instance.gpu_class, per_hour=Decimal("2.50"), starts_at=BEGINNING)
    spend(instance, 2, end=NOW, run_id="hers")
    assert evaluate(budget.pk, now=NOW) == 1
    people = Notification.objects.get().recipients.values_list("user__username", flat=True)
    assert sorted(people) == ["ada", "alice", "anna", "fred"]
    assert Delivery.objects.count() == 4


@pytest.mark.parametrize(
    ("fields", "spent"),
    [({}, 4), ({"tag": "Spring"}, 2), ({"of": "h100"}, 3), ({"person": "carol"}, 1)],
)
def test_each_scope_counts_its_own(fields: dict[str, str], spent: int, make_running, acme: Tenant, alice: User, h100) -> None:

    carol, other = factories.make_user("carol"), factories.make_gpu_class("l4")
    factories.join(carol, acme)
    set_price(gpu_class=other, per_hour=Decimal("2.50"), starts_at=BEGINNING)
    for number, options in enumerate(({}, {"tag": "Spring"}, {"tag": "Spring", "owner": carol}, {"gpu_class": other})):
        running = make_running(**options)
        record(running, "ready", NOW - timedelta(hours=1), run_id=str(number), tag=running.tag)
        record(running, "ended", NOW, run_id=str(number), tag=running.tag)

        settle(running.pk, now=NOW + timedelta(seconds=1))
    about = {"gpu_class": h100} if "of" in fields else {"person": carol} if "person" in fields else fields
    budget = make(acme, **about)
    [[standing], _rates] = standings(acme, [budget], now=NOW)
    assert standing.spent.amount == spent * Decimal("2.5")


def test_a_forecast_is_told_before_it_is_spent(instance: Instance, acme: Tenant, anna: User) -> None:
    budget = make(acme, "17", basis="forecast", thresholds=[100], made_by=anna)
    for day in ("05", "12"):
        spend(instance, 2, end=moment(f"2026-03-{day}T12:00:00"), run_id=f"day {day}")
    assert evaluate(budget.pk, now=NOW) == 1  # Thursdays cost 5: 10 are spent, 2.50 of today and one more Thursday are to come
    context = Notification.objects.get().context
    assert (context["likely"], context["ends_at"]) == ("USD 17.50", "2026-04-01T00:00:00+00:00")


def test_what_is_not_in_force_or_in_another_currency_tells_nothing(acme: Tenant, bolt: Tenant, anna: User) -> None:
    put(acme, "100")
    make(acme, made_by=anna, active=False)
    make(acme, made_by=anna, currency="EUR")
    make(bolt, made_by=anna)
    assert evaluate_all(now=NOW) == 0
    assert evaluate_all(now=NOW, tenant_id=bolt.pk) == 0
    assert told() == []


def killed(budget: Budget) -> None:
    """Look, and lose all that this wrote."""
    with transaction.atomic():
        evaluate(budget.pk, now=NOW)
        transaction.set_rollback(True)


STEPS = st.lists(st.tuples(st.integers(-120, 120), st.sampled_from(["look", "twice", "killed", "nobody"])), max_size=12)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, thresholds=st.sets(st.sampled_from([1, 50, 80, 100, 120]), min_size=1))
def test_no_threshold_is_told_twice_and_none_is_forgotten(
    acme: Tenant, anna: User, steps: list[tuple[int, str]], thresholds: set[int]
) -> None:
    """I21: the spend rises and falls by corrections; looks are repeated, killed before they are durable, or left out."""
    with transaction.atomic():
        budget = make(acme, made_by=anna, thresholds=sorted(thresholds))
        spent, highest = 0, 0
        for change, look in steps:
            put(acme, str(change))
            spent += change
            if look == "killed":
                killed(budget)
            for _ in range({"look": 1, "twice": 2}.get(look, 0)):
                evaluate(budget.pk, now=NOW)
                highest = max(highest, spent)
        crossed = [each for each in sorted(thresholds) if each <= highest]
        assert sorted(budget.alerts.values_list("threshold", flat=True)) == crossed
        percents = [percent for _kind, percent in told()]
        assert len(percents) == len(set(percents))
        assert percents == sorted(percents)
        assert set(percents) <= set(crossed)
        assert max(percents, default=0) == max(crossed, default=0)
        transaction.set_rollback(True)


def test_thresholds_are_exact() -> None:
    nano = Decimal("0.000000001")
    assert newly_crossed(Decimal(80) - nano, Decimal(100), [80, 50], []) == [50]
    assert newly_crossed(Decimal(80), Decimal(100), [80, 50], []) == [50, 80]
    assert newly_crossed(Decimal(-5), Decimal(100), [1], []) == []
    assert newly_crossed(Decimal(1000), Decimal(100), [80, 100], [100]) == [80]
