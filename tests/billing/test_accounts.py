"""An account's time zone and currency, and when a change of them counts."""

from datetime import timedelta

import pytest

from billing.accounts import calendar_of
from billing.auditing import verify
from billing.errors import TermsRefused
from billing.models import BillingAccount, BillingPeriod, BillingTerms, Charge
from billing.operations import set_budget_owner, set_terms, settle
from billing.periods import Month
from engines.models import Instance
from tenants.models import Tenant, User
from tests.billing.facts import moment, record

NOW = moment("2026-03-10T12:00:00")


def told(tenant: Tenant) -> list[tuple[str, str, str]]:
    rows = BillingTerms.objects.filter(account_id=tenant.pk).order_by("pk")
    return [(f"{row.starts_at:%F %H:%M}" if row.starts_at else "", row.time_zone, row.currency) for row in rows]


def test_first_terms_count_from_the_beginning(acme: Tenant) -> None:
    set_terms(tenant=acme, now=NOW, time_zone="Asia/Shanghai")
    set_terms(tenant=acme, now=NOW, currency="CNY")
    assert told(acme) == [("", "Asia/Shanghai", "CNY")]
    assert calendar_of(acme).period(Month(2026, 3)).starts_at == moment("2026-02-28T16:00")


def test_once_charged_a_change_counts_from_the_next_month(acme: Tenant, instance: Instance) -> None:
    record(instance, "ready", NOW)
    settle(instance.pk, now=NOW + timedelta(hours=2))
    set_terms(tenant=acme, now=NOW, time_zone="Europe/Berlin")
    set_terms(tenant=acme, now=NOW, time_zone="Asia/Shanghai")
    assert told(acme) == [("", "UTC", "USD"), ("2026-04-01 00:00", "Asia/Shanghai", "USD")]
    record(instance, "ended", moment("2026-04-02T20:00"))
    settle(instance.pk, now=moment("2026-04-03"))
    assert [
        (row.label, f"{row.starts_at:%F %H:%M}", f"{row.ends_at:%F %H:%M}") for row in BillingPeriod.objects.order_by("pk")
    ] == [
        ("2026-03", "2026-03-01 00:00", "2026-04-01 00:00"),
        ("2026-04", "2026-04-01 00:00", "2026-04-30 16:00"),
    ]
    days = Charge.objects.filter(day__month=4).order_by("day").values_list("day__day", flat=True)
    # The first day by the new zone lasts from 8:00 to 24:00 there.
    assert [list(days).count(day) for day in (1, 2, 3)] == [16, 24, 4]
    assert verify() == []


def test_taking_a_change_back(acme: Tenant, instance: Instance) -> None:
    record(instance, "ready", NOW)
    settle(instance.pk, now=NOW + timedelta(hours=2))
    set_terms(tenant=acme, now=NOW, currency="EUR")
    set_terms(tenant=acme, now=NOW, currency="USD")
    assert told(acme) == [("", "UTC", "USD")]


@pytest.mark.parametrize("terms", [{"time_zone": "Mars/Olympus"}, {"currency": "euro"}, {"currency": "EU"}, {"currency": "ÄÖÜ"}])
def test_senseless_terms_are_refused(acme: Tenant, terms: dict[str, str]) -> None:
    with pytest.raises(TermsRefused):
        set_terms(tenant=acme, now=NOW, **terms)
    assert told(acme) == []


def test_budget_owner(acme: Tenant, anna: User) -> None:
    set_budget_owner(tenant=acme, person=anna)
    assert BillingAccount.objects.get().budget_owner == anna
