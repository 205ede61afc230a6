"""Credits, adjustments and taxes are charges of a month, with a reason."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing.auditing import verify
from billing.errors import PostingRefused
from billing.models import BillingPeriod, Charge, DayRollup
from billing.operations import add_adjustment, add_credit, add_tax, close_period, set_terms
from billing.periods import Month
from billing.summaries import month_summary
from tenants.models import Membership, Tenant, User
from tests.billing.facts import moment

NOW = moment("2026-03-31T20:00:00.5")


def test_each_is_a_charge_of_the_month(acme: Tenant, olga: User) -> None:
    add_credit(tenant=acme, amount=Decimal("2.5"), reason="outage", now=NOW, by=olga)
    add_adjustment(tenant=acme, amount=Decimal(4), reason="moved data", now=NOW)
    add_tax(tenant=acme, amount=Decimal("0.19"), reason="VAT 19 %", now=NOW)
    rows = Charge.objects.order_by("pk")
    assert [(row.category, str(row.amount), row.amount == row.list_amount, row.seconds) for row in rows] == [
        ("credit", "-2.500000000", True, 0),
        ("adjustment", "4.000000000", True, 0),
        ("tax", "0.190000000", True, 0),
    ]
    assert {(row.day, row.period.label, row.is_correction, row.currency) for row in rows} == {
        (date(2026, 3, 31), "2026-03", False, "USD")
    }
    assert rows[0].posted_by == olga
    assert sum(row.amount for row in DayRollup.objects.all()) == Decimal("1.69")
    assert verify() == []


def test_month_is_that_of_the_account(acme: Tenant) -> None:
    set_terms(tenant=acme, now=NOW, time_zone="Asia/Shanghai", currency="CNY")
    row = add_credit(tenant=acme, amount=Decimal(1), reason="outage", now=NOW)
    assert (row.period.label, row.day, row.currency) == ("2026-04", date(2026, 4, 1), "CNY")


def test_a_closed_month_takes_none(acme: Tenant) -> None:
    add_credit(tenant=acme, amount=Decimal(1), reason="outage", now=moment("2026-03-10"))
    close_period(period=BillingPeriod.objects.get(), now=moment("2026-04-10"))
    row = add_credit(tenant=acme, amount=Decimal(1), reason="late", now=moment("2026-03-31"))
    assert (row.period.label, row.day, row.is_correction) == ("2026-04", date(2026, 4, 1), False)
    assert verify() == []


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "0.0000000001", "1000000000"])
def test_senseless_credit_is_refused(acme: Tenant, amount: str) -> None:
    with pytest.raises((PostingRefused, ArithmeticError)):
        add_credit(tenant=acme, amount=Decimal(amount), reason="outage", now=NOW)
    assert not Charge.objects.exists()


def test_without_a_reason_it_is_refused(acme: Tenant) -> None:
    with pytest.raises(PostingRefused, match="Say why"):
        add_tax(tenant=acme, amount=Decimal(1), reason=" ", now=NOW)


def test_database_refuses_one_without_a_reason(acme: Tenant) -> None:
    row = add_tax(tenant=acme, amount=Decimal(1), reason="VAT", now=NOW)
    row.pk, row.line_key, row.reason = None, "00000000-0000-0000-0000-000000000001", ""
    with pytest.raises(IntegrityError, match="charge_subject"), transaction.atomic():
        row.save(force_insert=True)


def test_finance_sees_them_and_members_do_not(acme: Tenant, anna_in_acme: Membership, alice_in_acme: Membership) -> None:
    add_credit(tenant=acme, amount=Decimal("2.5"), reason="outage", now=NOW)
    totals = [month_summary(member, Month(2026, 3), now=NOW).total.plain for member in (anna_in_acme, alice_in_acme)]
    assert totals == ["-2.500000000", "0.000000000"]
