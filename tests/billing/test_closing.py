"""What is closed stays as it is; what comes later about it is a correction in the next open month."""

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from billing import closing
from billing.auditing import verify
from billing.closing import Code, blockers, close_period, due_periods
from billing.errors import ClosingRefused
from billing.models import BillingPeriod, Charge, DayRollup, MonthRollup
from billing.money import Money
from billing.operations import add_credit, set_price, set_terms, settle
from engines.models import GpuClass, Instance
from tenants.models import Tenant, User
from tests.billing.facts import BEGINNING, lines, moment, record

END = moment("2026-04-01")
LATER = moment("2026-04-05")


@pytest.fixture
def march(instance: Instance) -> BillingPeriod:
    """Case 6: ran from 22:00 of the last day, and was last seen at 23:30."""
    record(instance, "ready", moment("2026-03-31T22:00:00"))
    record(instance, "ended", moment("2026-03-31T23:30:00"), source="reconcile")
    settle(instance.pk, now=moment("2026-04-03"))
    return BillingPeriod.objects.get()


def test_closing_seals_the_month(march: BillingPeriod, olga: User) -> None:
    closed = close_period(period=march, now=LATER, by=olga)
    assert (closed.status, closed.closed_at, closed.closed_by) == ("closed", LATER, olga)
    assert (closed.charge_count, closed.money.exact, closed.list_amount) == (2, "USD 3.75", Decimal("3.75"))
    assert len(closed.digest) == 64
    assert closed.invoice_number == "acme-2026-03"
    assert verify() == []


def test_late_facts_become_corrections(march: BillingPeriod, instance: Instance) -> None:
    digest = close_period(period=march, now=LATER).digest
    record(instance, "ended", moment("2026-03-31T23:41:12"))
    settle(instance.pk, now=LATER)
    late = Charge.objects.filter(period__month="2026-04-01")
    assert lines(late) == [("reversal", -1800, "-1.250000000"), ("replacement", 2472, "1.716666667")]
    assert {(row.is_correction, f"{row.day}") for row in late} == {(True, "2026-03-31")}
    march.refresh_from_db()
    assert (march.digest, closing.digest_of(march)) == (digest, digest)
    assert [(str(row.month), row.period.label, row.amount) for row in MonthRollup.objects.order_by("period__starts_at")] == [
        ("2026-03-01", "2026-03", Decimal("3.750000000")),
        ("2026-03-01", "2026-04", Decimal("0.466666667")),
    ]
    assert verify() == []


def test_database_keeps_what_is_closed(march: BillingPeriod, instance: Instance) -> None:
    close_period(period=march, now=LATER)
    row = Charge.objects.first()
    row.pk, row.kind, row.revision = None, "replacement", 9
    with pytest.raises(IntegrityError, match=f"billing period {march.pk} is closed"), transaction.atomic():
        row.save(force_insert=True)
    for refused in (lambda: BillingPeriod.objects.update(amount=1), lambda: BillingPeriod.objects.filter(pk=march.pk).delete()):
        with pytest.raises(IntegrityError), transaction.atomic():
            refused()
    with pytest.raises(ClosingRefused, match="2026-03 is closed already"):
        close_period(period=march, now=LATER)


def codes(period: BillingPeriod, now: object = LATER) -> list[Code]:
    return [blocker.code for blocker in blockers(period, now=now)]


def test_too_early(march: BillingPeriod) -> None:
    assert codes(march, END + timedelta(hours=71, minutes=59)) == [Code.TOO_EARLY]
    assert due_periods(now=END + timedelta(hours=71, minutes=59)) == []
    assert codes(march, END + timedelta(hours=72)) == []
    assert due_periods(now=END + timedelta(hours=72)) == [march]


def test_what_is_not_settled_keeps_it_open(march: BillingPeriod, instance: Instance, h100: GpuClass) -> None:
    set_price(gpu_class=h100, per_hour=Decimal(3), starts_at=moment("2026-03-31T23:00"))
    assert codes(march) == [Code.UNSETTLED]
    settle(instance.pk, now=LATER)
    assert codes(march) == []
    record(instance, "ready", moment("2026-03-31T23:50"), run_id="lasts")
    settle(instance.pk, now=moment("2026-03-31T23:59"))
    assert codes(march) == []  # what was settled before stays settled
    april = BillingPeriod.objects.get(month=END.date())
    assert codes(april) == [Code.TOO_EARLY, Code.EARLIER_OPEN, Code.UNSETTLED]


def test_time_without_a_price_keeps_it_open(
    march: BillingPeriod, make_running: Callable[..., Instance], gpu_class: GpuClass
) -> None:
    free = make_running(gpu_class=gpu_class)
    record(free, "ready", moment("2026-03-10T10:00"))
    record(free, "ended", moment("2026-03-10T11:00"))
    settle(free.pk, now=LATER)
    assert codes(march) == [Code.WITHOUT_PRICE]
    set_price(gpu_class=gpu_class, per_hour=Decimal(0), starts_at=BEGINNING)
    settle(free.pk, now=LATER)
    assert codes(march) == []


def test_sums_that_do_not_agree_keep_it_open(march: BillingPeriod) -> None:
    DayRollup.objects.update(seconds=1)
    assert codes(march) == [Code.SUMS_DIFFER]
    with pytest.raises(ClosingRefused, match="billing verify"):
        close_period(period=march, now=LATER)


def test_an_invoice_adds_up_to_what_can_be_paid(instance: Instance, acme: Tenant, h100: GpuClass) -> None:
    """Case 22: a yen has no decimals."""
    set_terms(tenant=acme, now=BEGINNING, currency="JPY")
    set_price(gpu_class=h100, per_hour=Money(Decimal(350), "JPY"), starts_at=BEGINNING)
    record(instance, "ready", moment("2026-03-10T10:00:00"))
    record(instance, "ended", moment("2026-03-10T10:20:00"))
    settle(instance.pk, now=LATER)
    closed = close_period(period=BillingPeriod.objects.get(), now=LATER)
    assert [(row.category, str(row.amount), row.reason) for row in Charge.objects.order_by("pk")] == [
        ("gpu", "116.666666667", ""),
        ("adjustment", "0.333333333", "Rounding"),
    ]
    assert closed.money.exact == "JPY 117"
    assert closed.amount == sum(row.amount for row in closed.charges.all())
    assert verify() == []


def test_seals_are_chained(march: BillingPeriod, acme: Tenant, instance: Instance) -> None:
    close_period(period=march, now=LATER)
    add_credit(tenant=acme, amount=Decimal(1), reason="for the outage", now=LATER)
    following = close_period(period=BillingPeriod.objects.get(status="open"), now=moment("2026-05-05"))
    assert following.money.exact == "USD -1.00"
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE billing_billingperiod DISABLE TRIGGER closed_is_closed")
        cursor.execute("UPDATE billing_billingperiod SET digest = 'forged' WHERE id = %s", [march.pk])
    assert [(each.check, each.about) for each in verify()] == [("seal", "2026-03"), ("seal", "2026-04")]


@pytest.mark.django_db(transaction=True)
def test_of_two_who_close_at_once_one_does(make_running: Callable[..., Instance]) -> None:
    """Case 19."""
    instance = make_running()
    record(instance, "ready", moment("2026-03-10T10:00:00"))
    record(instance, "ended", moment("2026-03-10T10:20:00"))
    settle(instance.pk, now=LATER)
    period, together, outcomes = BillingPeriod.objects.get(), threading.Barrier(2), []

    def work() -> None:
        try:
            together.wait(timeout=20)
            outcomes.append(close_period(period=period, now=LATER).digest)
        except ClosingRefused as refusal:
            outcomes.append(str(refusal))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    period.refresh_from_db()
    assert sorted(outcomes, key=len) == ["2026-03 is closed already.", period.digest]
    assert (period.charge_count, period.money.exact) == (2, "USD 0.83")
