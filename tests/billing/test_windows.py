"""Which days a window's name stands for, by the calendar of an account in Berlin."""

from datetime import date

import pytest

from billing.calendars import Calendar
from billing.windows import LONGEST, NotAWindow, Window, cut, parse
from tests.billing.facts import moment

BERLIN = Calendar.of("Europe/Berlin", "EUR")
# A Wednesday in Berlin, where it is the 11th already.
NOW = moment("2026-03-10T23:30:00")


def window(text: str) -> str:
    found = parse(text, BERLIN, NOW)
    return f"{found.first} {found.last}"


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("today", "2026-03-11 2026-03-11"),
        ("yesterday", "2026-03-10 2026-03-10"),
        ("week", "2026-03-09 2026-03-11"),
        ("lastweek", "2026-03-02 2026-03-08"),
        ("month", "2026-03-01 2026-03-11"),
        ("lastmonth", "2026-02-01 2026-02-28"),
        ("1d", "2026-03-11 2026-03-11"),
        ("7d", "2026-03-05 2026-03-11"),
        ("2w", "2026-02-26 2026-03-11"),
        ("7d offset 1d", "2026-03-04 2026-03-10"),
        ("month offset 2w", "2026-02-15 2026-02-25"),
        ("2026-03-01,2026-04-01", "2026-03-01 2026-03-31"),
        ("2026-02-28T23:00:00Z,2026-03-31T22:00:00Z", "2026-03-01 2026-03-31"),
        ("2026-03-29T00:00:00+01:00,2026-03-30T00:00:00+02:00", "2026-03-29 2026-03-29"),
        ("1772319600,1774994400", "2026-03-01 2026-03-31"),
        ("2026-03-01,2026-03-31T22:00:00Z", "2026-03-01 2026-03-31"),
    ],
)
def test_names_of_days(text: str, days: str) -> None:
    assert window(text) == days


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "never",
            "7",
            "0d",
            "-1d",
            "7m",
            "3h",
            "12345d",
            "9999d",
            "7d offset",
            "7d offset 1h",
            "7d  offset 1d",
            "todayoffset 1d",
        ),
        *(
            "2026-03-01,2026-03-01",
            "2026-03-02,2026-03-01",
            "2026-03-01,2026-02-30",
            "2026-03-01",
            "2026-03-01,2026-03-02,2026-03-03",
        ),
        *("2026-03-01T00:00:00Z,2026-04-01T00:00:00Z", "2026-03-01T00:00:00,2026-04-01", "0,86400", "99999999999,99999999999"),
        *("9999-12-01,9999-12-31", "2199-12-31,2200-01-02"),
        *("1999-01-01,1999-02-01", "2001-01-01,2026-01-01", "0001-01-01,0001-01-02", "٢٠٢٦-03-01,2026-04-01", ",", "٧d"),
    ],
)
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(NotAWindow):
        parse(text, BERLIN, NOW)


def test_the_longest_window() -> None:
    assert parse(f"{LONGEST}d", BERLIN, NOW).length == LONGEST
    with pytest.raises(NotAWindow):
        parse(f"{LONGEST + 1}d", BERLIN, NOW)


def test_moments_of_a_night_in_which_clocks_change() -> None:
    assert Window(date(2026, 3, 29), date(2026, 3, 29)).moments(BERLIN) == (
        moment("2026-03-28T23:00:00"),
        moment("2026-03-29T22:00:00"),
    )


@pytest.mark.parametrize(
    ("step", "parts"),
    [
        ("", ["2026-01-30 2026-03-02"]),
        ("1mo", ["2026-01-30 2026-01-31", "2026-02-01 2026-02-28", "2026-03-01 2026-03-02"]),
        (
            "1w",
            [
                "2026-01-30 2026-02-05",
                "2026-02-06 2026-02-12",
                "2026-02-13 2026-02-19",
                "2026-02-20 2026-02-26",
                "2026-02-27 2026-03-02",
            ],
        ),
    ],
)
def test_parts_of_a_window(step: str, parts: list[str]) -> None:
    whole = Window(date(2026, 1, 30), date(2026, 3, 2))
    assert [f"{part.first} {part.last}" for part in cut(whole, step)] == parts


def test_days_of_a_window() -> None:
    days = cut(Window(date(2026, 2, 27), date(2026, 3, 1)), "1d")
    assert [(str(day.first), day.length) for day in days] == [("2026-02-27", 1), ("2026-02-28", 1), ("2026-03-01", 1)]


@pytest.mark.parametrize(
    ("days", "whole"),
    [
        (("2026-02-01", "2026-02-28"), True),
        (("2026-02-01", "2026-03-31"), True),
        (("2026-02-01", "2026-02-27"), False),
        (("2026-02-02", "2026-02-28"), False),
    ],
)
def test_whole_months(days: tuple[str, str], whole: bool) -> None:
    assert Window(*map(date.fromisoformat, days)).is_whole_months is whole
