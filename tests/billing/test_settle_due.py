"""Which instances are settled, and when."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from aigc_portal.celery import app
from billing import tasks
from billing.due import due_instances
from billing.models import Charge, FactCursor, Meter, UsageInterval
from billing.operations import set_price, settle_due
from engines.models import GpuClass, Instance, RunFact
from engines.states import InstanceState
from tenants.models import User
from tests.billing.facts import lines, moment, record

START = moment("2026-03-10T10:00:00")
NOON = moment("2026-03-10T12:00:00")


def test_only_what_changed_or_lasts_is_settled(make_running: Callable[..., Instance]) -> None:
    lasting, over = make_running(), make_running()
    record(lasting, "ready", START)
    record(over, "ready", START)
    record(over, "ended", START + timedelta(minutes=20))
    assert settle_due(now=NOON) == 2  # one full hour, and 20 minutes
    assert due_instances(now=NOON) == []
    assert due_instances(now=moment("2026-03-10T12:10:00")) == [lasting.pk]
    assert settle_due(now=moment("2026-03-10T12:10:00")) == 1
    assert due_instances(now=moment("2026-03-10T12:10:00")) == []


def test_nothing_to_do_is_cheap(instance: Instance, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    record(instance, "ready", START)
    settle_due(now=NOON)
    settle_due(now=NOON)
    with django_assert_num_queries(9):  # a savepoint around four, and the questions what is due
        assert settle_due(now=NOON) == 0


def test_instance_that_let_go_of_its_gpu_is_settled_without_a_fact(instance: Instance) -> None:
    record(instance, "ready", START)
    record(instance, "seen", START + timedelta(minutes=30))
    settle_due(now=START + timedelta(minutes=31))
    assert due_instances(now=START + timedelta(minutes=40)) == []
    Instance.objects.update(state=InstanceState.STOPPED)
    assert settle_due(now=START + timedelta(minutes=40)) == 1
    assert lines(Charge.objects.all()) == [("original", 1800, "1.250000000")]
    assert due_instances(now=NOON) == []


def test_fact_committed_late_under_a_lower_number_is_not_missed(make_running: Callable[..., Instance]) -> None:
    first, second = make_running(), make_running()
    RunFact.objects.create(
        pk=1_000_000,
        instance=first,
        run_id="run",
        kind="ready",
        source="cluster",
        at=START,
        observed_at=START,
        tenant=first.tenant,
        owner=first.owner,
        gpu_class=first.gpu_class,
        engine_version=first.engine_version,
    )
    settle_due(now=START + timedelta(seconds=60))
    assert record(second, "ready", START).pk < 1_000_000
    settle_due(now=START + timedelta(seconds=61))
    assert UsageInterval.objects.filter(instance=second).count() == 1
    assert FactCursor.objects.get().read_to == 1_000_000


def test_trouble_with_one_does_not_keep_the_others(
    make_running: Callable[..., Instance], caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = make_running(), make_running()
    for instance in (bad, good):
        record(instance, "ready", START)
        record(instance, "ended", START + timedelta(hours=1))
    with connection.cursor() as cursor:  # a row that no code of ours writes: usage that the facts do not explain
        cursor.execute(
            "CREATE FUNCTION refuse_bad() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full'; END $$;"
            f"CREATE TRIGGER refuse_bad BEFORE INSERT ON billing_charge FOR EACH ROW WHEN (NEW.instance_id = '{bad.pk}')"
            "EXECUTE FUNCTION refuse_bad()"
        )
    assert settle_due(now=NOON) == 1
    assert [charge.instance for charge in Charge.objects.all()] == [good]
    assert f"{bad.pk} could not be settled" in caplog.text
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER refuse_bad ON billing_charge")
    assert settle_due(now=NOON) == 1
    assert Charge.objects.count() == 2


def test_of_two_words_under_one_identity_the_first_stays(instance: Instance, anna: User) -> None:
    """Case 16: run, kind, source and moment say which fact it is."""
    record(instance, "ready", START)
    record(instance, "ready", START, owner=anna, observed_at=NOON)
    record(instance, "ended", START + timedelta(hours=1))
    assert settle_due(now=NOON) == 1
    assert Charge.objects.get().owner == instance.owner


def test_time_without_a_price_is_charged_once_there_is_one(make_running: Callable[..., Instance], gpu_class: GpuClass) -> None:
    instance = make_running(gpu_class=gpu_class)
    record(instance, "ready", START)
    record(instance, "ended", NOON)
    assert settle_due(now=NOON) == 0
    assert Meter.objects.get().unpriced_from == START
    set_price(gpu_class=gpu_class, per_hour=Decimal(1), starts_at=START + timedelta(minutes=90))
    assert settle_due(now=NOON) == 1
    assert Meter.objects.get().unpriced_from == START
    set_price(gpu_class=gpu_class, per_hour=Decimal(2), starts_at=START)
    assert settle_due(now=NOON) == 2
    assert Meter.objects.get().unpriced_from is None
    assert lines(Charge.objects.all()) == [
        ("original", 1800, "0.500000000"),
        ("original", 3600, "2.000000000"),
        ("original", 1800, "1.000000000"),
    ]


def test_new_owner_pays_from_the_second_of_the_change(instance: Instance, anna: User) -> None:
    """Case 12, from facts in the database."""
    record(instance, "ready", START)
    for minute, owner in ((10, instance.owner), (20, anna), (30, anna), (40, anna)):
        record(instance, "seen", START + timedelta(minutes=minute), owner=owner)
    record(instance, "ended", START + timedelta(hours=1), owner=anna)
    assert settle_due(now=NOON) == 2
    assert [(row.owner, row.seconds, str(row.amount)) for row in Charge.objects.order_by("starts_at")] == [
        (instance.owner, 1200, "0.833333333"),
        (anna, 2400, "1.666666667"),
    ]


def test_timetable_settles(instance: Instance) -> None:
    record(instance, "ready", START)
    record(instance, "ended", NOON)
    entry = app.conf.beat_schedule["billing-settle"]
    assert entry["task"] == tasks.settle_all.name
    tasks.settle_all()
    assert Charge.objects.count() == 2
