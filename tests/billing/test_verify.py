"""Whatever is wrong in the books is found, and sums can be made anew."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from billing.auditing import rebuild, verify
from billing.models import Charge, DayRollup, Meter, MonthRollup, UsageInterval
from billing.operations import add_credit, settle, settle_due
from engines.models import Instance
from tenants.models import Tenant
from tests.billing.facts import moment, record

START = moment("2026-03-10T10:00:00")
NOW = START + timedelta(days=1)


@pytest.fixture
def charged(instance: Instance) -> Instance:
    """Three charges, of which the second was corrected."""
    record(instance, "ready", START)
    settle(instance.pk, now=START + timedelta(hours=2, minutes=10))
    record(instance, "ended", START + timedelta(minutes=80))
    settle(instance.pk, now=NOW)
    return instance


def change(statement: str) -> None:
    """Do what no code does: change the books behind the triggers' backs."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE billing_charge DISABLE TRIGGER append_only")
        cursor.execute(statement)


def test_right_books_are_right(charged: Instance, acme: Tenant) -> None:
    add_credit(tenant=acme, amount=Decimal("0.5"), reason="sorry", now=NOW)
    assert verify() == []
    assert verify(tenant=acme, month=START.date().replace(day=1)) == []


@pytest.mark.parametrize(
    ("statement", "checks"),
    [
        ("UPDATE billing_dayrollup SET amount = amount + 0.000000001", {"days", "months"}),
        ("UPDATE billing_dayrollup SET list_amount = 0", {"days", "months"}),
        ("DELETE FROM billing_dayrollup", {"days", "months"}),
        ("UPDATE billing_monthrollup SET seconds = seconds + 1", {"months"}),
        ("UPDATE billing_charge SET amount = amount + 0.000000001 WHERE kind = 'original'", {"amounts", "days", "reversals"}),
        ("UPDATE billing_charge SET seconds = seconds - 1, ends_at = ends_at - interval '1 s' WHERE kind = 'replacement'",
         {"amounts", "days", "seconds"}),
        ("DELETE FROM billing_charge WHERE kind = 'reversal'", {"days", "standing_twice", "seconds"}),
        ("DELETE FROM billing_charge WHERE kind = 'replacement'", {"days", "seconds"}),
        ("UPDATE billing_charge SET is_correction = true", {"periods"}),
        ("UPDATE billing_charge SET day = '2026-02-10'", {"days", "periods"}),
        ("UPDATE billing_usageinterval SET ends_at = ends_at + interval '1 s'", {"seconds"}),
    ],
)  # fmt: skip
def test_wrong_books_are_found(charged: Instance, statement: str, checks: set[str]) -> None:
    change(statement)
    assert {difference.check for difference in verify()} == checks


def test_sums_are_made_anew(charged: Instance, acme: Tenant) -> None:
    add_credit(tenant=acme, amount=Decimal("0.5"), reason="sorry", now=NOW)
    right = sorted(DayRollup.objects.values_list("day", "amount", "seconds"))
    DayRollup.objects.update(amount=0)
    MonthRollup.objects.all().delete()
    assert rebuild() == 4
    assert sorted(DayRollup.objects.values_list("day", "amount", "seconds")) == right
    assert verify() == []
    assert settle_due(now=NOW) == 0


def test_usage_is_worked_out_anew_from_facts(charged: Instance) -> None:
    """The disaster: projections are lost, facts and books are not."""
    UsageInterval.objects.all().delete()
    Meter.objects.all().delete()
    before = list(Charge.objects.order_by("pk").values())
    rebuild()
    settle(charged.pk, now=NOW)
    assert list(Charge.objects.order_by("pk").values()) == before
    assert UsageInterval.objects.get().ends_at == START + timedelta(minutes=80)


def test_one_tenant_s_sums_alone(charged: Instance, bolt: Tenant, make_running: Callable[..., Instance]) -> None:
    rebuild(tenant=bolt)
    assert DayRollup.objects.count() == 1
    assert Meter.objects.get().dirty_from is None
