"""What a month will have come to: every figure worked out by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.calendars import Calendar
from billing.projection import Known, project
from billing.spans import Recurrence, Span, span_at
from tests.billing.facts import moment

MARCH = Span(date(2026, 3, 1), date(2026, 3, 31), moment("2026-03-01T00:00:00"), moment("2026-04-01T00:00:00"))
NOON = moment("2026-03-19T12:00:00")  # a Thursday, day 18.5 of 31


def known(**fields: object) -> Known:
    nothing = {"spent": Decimal(0), "history": {}, "per_hour": Decimal(0), "stored_per_hour": Decimal(0)}
    day = {"now": NOON, "today": NOON.date(), "day_starts_at": NOON.replace(hour=0), "day_ends_at": moment("2026-03-20T00:00:00")}
    return Known(**day | nothing | fields)  # type: ignore[arg-type]


def weeks(*by_weekday: str) -> dict[date, Decimal]:
    """Four weeks before the nineteenth of March that cost the same on the same weekday, from Monday on."""
    days = [date(2026, 3, 18) - timedelta(days=number) for number in range(28)]
    return {day: Decimal(by_weekday[day.weekday()]) for day in days}


def test_the_naive_rate_of_the_specification() -> None:
    assert project(known(spent=Decimal(6200)), MARCH).run_rate == Decimal("10389.189189189")


def test_weekdays_cost_what_they_usually_do() -> None:
    """Half a Thursday, then Friday 20 to Tuesday 31: Mon 23 30, Tue 24 31, Wed 25, Thu 26, Fri 20 27, two weekends."""
    found = project(known(spent=Decimal(100), history=weeks("1", "2", "4", "8", "16", "32", "64")), MARCH)
    assert found.likely == 100 + 4 + (2 * 1 + 2 * 2 + 4 + 8 + 2 * 16 + 2 * 32 + 2 * 64)


def test_one_mad_day_changes_no_median() -> None:
    usual = weeks(*["10"] * 7)
    mad = usual | {date(2026, 3, 18): Decimal(9000)}
    assert project(known(history=mad), MARCH) == project(known(history=usual), MARCH)
    assert project(known(history=usual), MARCH).likely == 5 + 12 * 10


def test_an_even_number_of_weeks_has_the_middle_of_two() -> None:
    history = {date(2026, 3, day): Decimal(cost) for day, cost in ((2, 1), (9, 5))}  # two Mondays alone
    assert project(known(history=history), MARCH).likely == Decimal("12.5") * 3


def test_what_runs_goes_on_and_what_is_stored_does_even_if_nothing_runs() -> None:
    rates = {"per_hour": Decimal("2.6"), "stored_per_hour": Decimal("0.1")}
    found = project(known(spent=Decimal(7), history=weeks(*["0"] * 7), **rates), MARCH)
    assert (found.low, found.likely, found.high) == (7 + 30, 7, 7 + 780)  # 300 hours are left


def test_high_is_never_less_than_likely_and_likely_without_a_day_is_high() -> None:
    at_night = project(known(history=weeks(*["24"] * 7), per_hour=Decimal("0.5")), MARCH)
    assert at_night.high == at_night.likely == 12 * Decimal(24) + 12
    new = project(known(spent=Decimal(1), per_hour=Decimal("2.5")), MARCH)
    assert new.likely == new.high == 1 + 750


def test_the_last_day_ends_with_what_is_left_of_it() -> None:
    evening = moment("2026-03-31T18:00:00")
    last = {"today": date(2026, 3, 31), "day_starts_at": evening.replace(hour=0), "day_ends_at": MARCH.ends_at}
    assert project(replace(known(history=weeks(*["8"] * 7)), now=evening, **last), MARCH).likely == 2
    first = {"today": date(2026, 3, 1), "day_starts_at": MARCH.starts_at, "day_ends_at": moment("2026-03-02T00:00:00")}
    assert project(replace(known(spent=Decimal(3)), now=MARCH.starts_at, **first), MARCH).run_rate == 3


@pytest.mark.parametrize(
    ("recurrence", "first", "last", "hours"),
    [
        ("day", date(2026, 3, 29), date(2026, 3, 29), 23),
        ("month", date(2026, 3, 1), date(2026, 3, 31), 31 * 24 - 1),
        ("quarter", date(2026, 1, 1), date(2026, 3, 31), 90 * 24 - 1),
    ],
)
def test_spans_are_the_accounts_days(recurrence: str, first: date, last: date, hours: int) -> None:
    """In Berlin, whose clocks are put forward on that Sunday."""
    span = span_at(Calendar.of("Europe/Berlin", "EUR"), recurrence, moment("2026-03-29T10:00:00"))
    assert (span.first, span.last) == (first, last)
    assert span.ends_at - span.starts_at == timedelta(hours=hours)


@given(second=st.integers(0, 2 * 366 * 86_400), recurrence=st.sampled_from(Recurrence))
def test_a_moment_is_in_its_span_and_spans_follow_each_other(second: int, recurrence: Recurrence) -> None:
    calendar, at = Calendar.of("Asia/Shanghai", "CNY"), datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    span = span_at(calendar, recurrence, at)
    assert span.starts_at <= at < span.ends_at
    assert span_at(calendar, recurrence, span.ends_at).starts_at == span.ends_at
