"""How far off the forecast of earlier months was: by hand, and against the forecast itself."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from billing.accounts import calendar_of
from billing.calendars import Calendar
from billing.forecast import forecast, tried
from billing.hindsight import Hindsight, Past, hindsight
from billing.manual import add_credit
from billing.operations import set_terms, settle_due
from billing.spans import Recurrence, span_at
from engines.models import Instance
from tenants.models import Tenant
from tests.billing.facts import moment, record

UTC = Calendar.of("UTC", "USD")
FEBRUARY, JANUARY = (span_at(UTC, Recurrence.MONTH, moment(f"2026-0{month}-01T00:00:00")) for month in (2, 1))
HALF = Fraction(1, 2)
Days = dict[date, Decimal]


def each_day(first: str, last: str, amount: str) -> Days:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return {start + timedelta(days=number): Decimal(amount) for number in range((end - start).days + 1)}


def look_back(days: Days, *, passed: Fraction = HALF, **more: object) -> Hindsight | None:
    past = {"currency": "USD", "posted": days, "used": days, "began": min(days, default=date.max)}
    return hindsight(Past(**past | more), UTC, [FEBRUARY, JANUARY], passed)  # type: ignore[arg-type]


STEADY = each_day("2025-12-01", "2026-02-28", "10")
RISING = STEADY | each_day("2026-02-15", "2026-02-28", "20")


def test_a_steady_month_is_foreseen_to_the_digit() -> None:
    found = look_back(STEADY, passed=Fraction(1, 3))
    assert found is not None
    assert (str(found.error_percent), len(found.trials)) == ("0.0", 2)


def test_each_month_is_tried_at_the_same_part_of_it() -> None:
    """Of February 14.5 days: 150 spent, half a day and 13 days at 10 to come, and 420 in the end; of January nothing is amiss."""
    found = look_back(RISING, passed=Fraction(29, 56))
    assert found is not None
    assert found.formulas == [
        "2026-02: |USD 285.00 − USD 420.00| ÷ USD 420.00 = 32.1 %",
        "2026-01: |USD 310.00 − USD 310.00| ÷ USD 310.00 = 0.0 %",
    ]
    assert str(found.error_percent) == "16.1"


def test_a_credit_that_came_later_was_not_foreseen() -> None:
    found = look_back(STEADY, posted=STEADY | {date(2026, 2, 20): Decimal(-60)})
    assert found is not None
    assert found.formulas[0] == "2026-02: |USD 280.00 − USD 210.00| ÷ USD 210.00 = 33.3 %"


@pytest.mark.parametrize(
    ("days", "months"),
    [
        ({}, []),
        (each_day("2026-01-01", "2026-02-28", "10"), ["2026-02", "2026-01"]),
        (each_day("2026-01-02", "2026-02-28", "10"), ["2026-02"]),  # January had begun before anything was used
        (each_day("2026-02-02", "2026-02-28", "10"), []),
        (each_day("2025-12-01", "2026-01-10", "10"), ["2026-01"]),  # February cost nothing
        (each_day("2025-12-01", "2026-01-10", "10") | each_day("2026-02-20", "2026-02-28", "5"), ["2026-01"]),  # nothing before
    ],
)
def test_months_that_tell_nothing_are_left_out(days: Days, months: list[str]) -> None:
    found = look_back(days)
    assert [f"{trial.first:%Y-%m}" for trial in found.trials] == months if found else months == []


def runs(instance: Instance, first: str, last: str) -> None:
    for number, day in enumerate(each_day(first, last, "0")):
        start = moment(f"{day}T01:00:00")
        record(instance, "ready", start, run_id=str(day))
        record(instance, "ended", start + timedelta(hours=1 + number % 3), run_id=str(day))


def test_it_is_what_would_have_been_told(instance: Instance, acme: Tenant) -> None:
    """The middle of April is that of February: on both a midnight, so that no day is cut."""
    middle = moment("2026-02-15T00:00:00")
    runs(instance, "2026-01-25", "2026-02-14")
    settle_due(now=middle)
    told = forecast(Q(tenant=acme), calendar_of(acme), middle).likely
    runs(instance, "2026-02-15", "2026-04-10")
    now = moment("2026-04-16T00:00:00")
    settle_due(now=now)
    found = tried(Q(tenant=acme), calendar_of(acme), now)
    assert found is not None
    assert [str(trial.first) for trial in found.trials] == ["2026-03-01", "2026-02-01"]
    assert found.trials[1].likely == told


def test_what_was_used_before_the_days_that_are_read_counts_as_a_beginning(instance: Instance, acme: Tenant) -> None:
    for day in ("2025-06-01", "2026-03-02"):
        runs(instance, day, day)
    now = moment("2026-04-16T00:00:00")
    settle_due(now=now)
    found = tried(Q(tenant=acme), calendar_of(acme), now)
    assert found is not None
    assert [str(trial.first) for trial in found.trials] == ["2026-03-01"]


def test_another_currency_tells_nothing(instance: Instance, acme: Tenant) -> None:
    runs(instance, "2026-01-01", "2026-03-31")
    settle_due(now=moment("2026-03-31T23:00:00"))
    set_terms(tenant=acme, now=moment("2026-03-31T23:00:00"), currency="EUR")
    assert tried(Q(tenant=acme), calendar_of(acme), moment("2026-04-16T00:00:00")) is None


def test_two_queries_and_none_of_the_charges(instance: Instance, acme: Tenant) -> None:
    now = moment("2026-04-16T00:00:00")
    runs(instance, "2026-02-01", "2026-02-20")
    settle_due(now=now)
    add_credit(tenant=acme, amount=Decimal("1.50"), reason="Outage", now=now)
    calendar = calendar_of(acme)
    with CaptureQueriesContext(connection) as captured:
        assert tried(Q(tenant=acme), calendar, now) is not None
    assert len(captured) == 2
    assert not any('"billing_charge"' in each["sql"] for each in captured)
