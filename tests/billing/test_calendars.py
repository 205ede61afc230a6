"""Days and months of an account, in its own time zone, whatever clocks do."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.calendars import Calendar, Terms
from billing.periods import Month
from tests.billing.facts import moment

ZONES = ["UTC", "Asia/Shanghai", "Asia/Kathmandu", "America/Los_Angeles", "Australia/Lord_Howe", "Africa/Cairo", "America/Havana"]
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/Los_Angeles", date(2026, 3, 8), 23),
        ("America/Los_Angeles", date(2026, 11, 1), 25),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Africa/Cairo", date(2026, 4, 24), 23),  # midnight does not exist
        ("America/Havana", date(2026, 11, 1), 25),  # midnight is there twice
        ("Pacific/Apia", date(2011, 12, 30), 0),  # the day does not exist
    ],
)
def test_length_of_days_on_which_clocks_change(zone: str, day: date, hours: float) -> None:
    start, end = Calendar.of(zone, "USD").day_span(day)
    assert end - start == timedelta(hours=hours)


def test_midnights_of_kathmandu_are_no_full_hours() -> None:
    """The calendar of case 4."""
    calendar = Calendar.of("Asia/Kathmandu", "USD")
    assert calendar.midnights(moment("2026-03-31T17:50"), moment("2026-03-31T19:00")) == [moment("2026-03-31T18:15")]
    april = calendar.period_at(moment("2026-03-31T18:15"))
    assert (april.month, april.starts_at) == (Month(2026, 4), moment("2026-03-31T18:15"))
    assert calendar.period_at(moment("2026-03-31T18:14:59")).month == Month(2026, 3)


EDGES = [moment(text) for text in ("2026-03-01", "2026-03-08T08:00", "2026-03-29T01:00", "2026-04-04T15:00", "2026-11-01T07:00")]
NEAR = st.builds(
    lambda edge, off: edge + timedelta(seconds=off),
    st.sampled_from(EDGES),
    st.one_of(st.integers(-2, 2), st.integers(-100_000, 100_000), st.integers(-4_000_000, 4_000_000)),
)


@given(NEAR, st.sampled_from(ZONES))
def test_every_moment_is_in_its_day_and_month(at: datetime, zone: str) -> None:
    calendar = Calendar.of(zone, "USD")
    assert calendar.day_of(at) == at.astimezone(ZoneInfo(zone)).date()
    start, end = calendar.day_span(calendar.day_of(at))
    assert start <= at < end
    assert calendar.day_start(at) == start
    period = calendar.period_at(at)
    assert period.starts_at <= at < period.ends_at
    assert calendar.period_at(period.ends_at).month == period.month.following
    assert calendar.period_at(period.starts_at - timedelta(seconds=1)).ends_at == period.starts_at


@given(st.sampled_from(ZONES), st.sampled_from(ZONES), st.integers(1, 12))
def test_a_move_to_another_zone_loses_and_doubles_no_second(old: str, new: str, month: int) -> None:
    before = Calendar.of(old, "USD")
    change = before.period(Month(2026, month)).ends_at
    calendar = Calendar((Terms(None, old, "USD"), Terms(change, new, "EUR")))
    assert calendar.period_at(change - timedelta(seconds=1)).ends_at == change
    first = calendar.period_at(change)
    assert (first.starts_at, first.month, first.time_zone) == (change, Month(2026, month).following, new)
    assert [calendar.currency_at(at) for at in (change - timedelta(seconds=1), change)] == ["USD", "EUR"]
    around = change - timedelta(days=40), change + timedelta(days=70)
    starts = calendar.midnights(*around)
    assert change in starts
    days = [calendar.day_of(at) for at in starts]
    assert all(following - day == timedelta(days=1) for day, following in pairwise(days))
    for (start, end), day in zip(pairwise(starts), days, strict=False):
        assert calendar.day_span(day) == (start, end)
        assert timedelta(0) < end - start <= 51 * HOUR
        assert {
            calendar.day_of(start),
            calendar.day_of(end - timedelta(seconds=1)),
            calendar.day_of(start + (end - start) / 2),
        } == {day}
        assert calendar.day_start(start + (end - start) / 2) == start
        assert calendar.period_at(start).month == Month.of(day)


def test_moments_are_those_of_utc() -> None:
    assert Calendar.of("Asia/Shanghai", "CNY").period(Month(2026, 4)).starts_at == datetime(2026, 3, 31, 16, tzinfo=UTC)
