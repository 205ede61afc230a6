"""What instances cost so far, in a number of queries that does not grow."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.template import Context, Template
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from billing.operations import set_price, settle
from billing.periods import Month
from billing.queries import InstanceCost, cost_of_instances
from billing.summaries import month_summary
from engines.models import GpuClass, Instance
from engines.states import InstanceState
from tenants.access import membership_in
from tenants.models import Membership, Tenant, User
from tests.billing.facts import moment, record

NOW = moment("2026-03-10T12:20:30.5")
MARCH = Month(2026, 3)


def shown(cost: InstanceCost) -> tuple[str, str, str, str, bool]:
    return cost.today.plain, cost.month.plain, cost.total.plain, cost.estimated.plain, cost.has_unpriced


def run(instance: Instance, start: str, end: str | None = None) -> None:
    record(instance, "ready", moment(start), run_id=f"{instance.slug} {start}")
    if end:
        record(instance, "ended", moment(end), run_id=f"{instance.slug} {start}")


def test_today_month_and_total_with_the_estimate(instance: Instance) -> None:
    run(instance, "2026-02-28T23:50:00", "2026-03-01T00:10:00")
    run(instance, "2026-03-09T23:30:00", "2026-03-10T00:30:00")
    run(instance, "2026-03-10T11:30:00")
    settle(instance.pk, now=NOW)
    # Charged to 12:00; 1230 seconds since then are an estimate.
    cost = cost_of_instances([instance.pk], now=NOW)[instance.pk]
    assert shown(cost) == ("3.354166667", "5.020833334", "5.437500001", "0.854166667", False)


def test_estimate_grows_into_the_charge(instance: Instance) -> None:
    run(instance, "2026-03-10T10:00:00")
    totals = []
    for minutes in (5, 59, 60, 69, 70, 71):
        now = moment("2026-03-10T10:00:00") + timedelta(minutes=minutes)
        settle(instance.pk, now=now)
        cost = cost_of_instances([instance.pk], now=now)[instance.pk]
        totals.append((cost.total.plain, cost.estimated.plain))
    assert totals == [
        ("0.208333333", "0.208333333"),
        ("2.458333333", "2.458333333"),
        ("2.500000000", "2.500000000"),
        ("2.875000000", "2.875000000"),
        ("2.916666667", "0.416666667"),
        ("2.958333333", "0.458333333"),
    ]


def test_estimate_stops_when_the_gpu_is_let_go(instance: Instance) -> None:
    run(instance, "2026-03-10T10:00:00")
    settle(instance.pk, now=moment("2026-03-10T10:01:00"))
    Instance.objects.update(state=InstanceState.STOPPED, state_since=moment("2026-03-10T10:20:00.7"))
    assert cost_of_instances([instance.pk], now=NOW)[instance.pk].total.plain == "0.833333333"


def test_time_without_a_price_is_never_silently_nothing(make_running: Callable[..., Instance], gpu_class: GpuClass) -> None:
    over, lasting, later = (make_running(gpu_class=gpu_class) for _ in range(3))
    run(over, "2026-03-10T10:00:00", "2026-03-10T10:01:00")
    run(lasting, "2026-03-10T12:19:00")
    run(later, "2026-03-10T12:19:00")
    for instance in (over, lasting):
        settle(instance.pk, now=NOW)
    costs = cost_of_instances([over.pk, lasting.pk], now=NOW)
    assert [costs[instance.pk].has_unpriced for instance in (over, lasting)] == [True, True]
    set_price(gpu_class=gpu_class, per_hour=Decimal(0), starts_at=moment("2026-03-10T12:00:00"))
    costs = cost_of_instances([over.pk, lasting.pk], now=NOW)
    assert [costs[instance.pk].has_unpriced for instance in (over, lasting)] == [True, False]


@pytest.fixture
def many(make_running: Callable[..., Instance]) -> list[Instance]:
    instances = [make_running() for _ in range(6)]
    for instance in instances:
        run(instance, "2026-03-09T11:00:00", "2026-03-09T14:00:00")
        run(instance, "2026-03-10T11:00:00")
        settle(instance.pk, now=NOW)
    return instances


def test_costs_of_many_take_as_many_queries_as_of_one(
    many: list[Instance], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for some in (many[:1], many):
        with django_assert_num_queries(6):
            assert len(cost_of_instances([instance.pk for instance in some], now=NOW)) == len(some)


def test_summary_of_many_takes_as_many_queries_as_of_one(
    many: list[Instance], alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    membership = membership_in(alice, "acme")
    with django_assert_num_queries(6):
        summary = month_summary(membership, MARCH, now=NOW)
    assert (len(summary.rows), summary.total.plain) == (6, "65.125000002")


@pytest.mark.django_db(transaction=True)
def test_all_queries_see_one_state_of_the_books(make_running: Callable[..., Instance]) -> None:
    instance = make_running()
    run(instance, "2026-03-10T11:00:00")
    settle(instance.pk, now=NOW)
    with CaptureQueriesContext(connection) as queries:
        cost_of_instances([instance.pk], now=NOW)
    assert [query["sql"] for query in queries][:2] == ["BEGIN", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"]


def test_month_of_a_run_across_its_end(instance: Instance, anna_in_acme: Membership) -> None:
    """Case 2, on the page: each month has its own part, and they add up."""
    set_price(gpu_class=instance.gpu_class, per_hour=Decimal(3), starts_at=moment("2026-02-01T00:30:00"))
    run(instance, "2026-01-31T23:50:30", "2026-02-01T02:10:15")
    settle(instance.pk, now=NOW)
    january, february = (month_summary(anna_in_acme, Month(2026, number), now=NOW) for number in (1, 2))
    assert [(s.total.plain, s.rows[0].seconds) for s in (january, february)] == [("0.395833333", 570), ("6.262500000", 7815)]
    assert [price.exact for price in february.rows[0].sorted_prices] == ["USD 2.50", "USD 3.00"]


def test_price_that_was_taken_back_leaves_no_trace(instance: Instance, anna_in_acme: Membership) -> None:
    start = moment("2026-03-10T10:00:00")
    set_price(gpu_class=instance.gpu_class, per_hour=Decimal(25), starts_at=start)
    run(instance, "2026-03-10T10:00:00", "2026-03-10T10:20:00")
    settle(instance.pk, now=NOW)
    set_price(gpu_class=instance.gpu_class, per_hour=Decimal(3), starts_at=start)
    settle(instance.pk, now=NOW)
    [row] = month_summary(anna_in_acme, MARCH, now=NOW).rows
    assert (row.amount.plain, row.seconds, [price.exact for price in row.sorted_prices]) == ("1.000000000", 1200, ["USD 3.00"])


def test_tags(many: list[Instance], acme: Tenant, h100: GpuClass, gpu_class: GpuClass, rf: RequestFactory) -> None:
    template = Template(
        "{% load billing_tags %}{% costs_of instances as costs %}"
        "{% for i in instances %}{{ i|default:''|cut:' '|slice:':0' }}{% with cost=costs|cost_for:i %}"
        "{{ cost.today|money }} {{ cost.month|money }} {{ cost.total|exact }};{% endwith %}{% endfor %}"
        "{% for c in classes %}{% price_per_hour tenant c as price %}{{ price|money }};{% endfor %}"
    )
    fresh = Instance(tenant=acme)
    values = {"instances": [many[0], fresh], "classes": [h100, gpu_class] * 3, "tenant": acme, "request": rf.get("/")}
    with time_machine.travel(NOW, tick=False), CaptureQueriesContext(connection) as queries:
        html = template.render(Context(values))
    assert html == "USD 3.35 USD 10.85 USD 10.854166667;USD 0.00 USD 0.00 USD 0.00;" + "USD 2.50;–;" * 3
    assert len(queries) == 8
