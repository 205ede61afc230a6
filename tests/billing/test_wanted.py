"""How the address of a costs page is read and written, and what its days are compared with."""

from datetime import date

import pytest

from billing.calendars import Calendar
from billing.pages.wanted import days_of, last_months, preceding, read, until_yesterday
from billing.windows import Window
from tests.billing.facts import moment

NOW = moment("2026-03-10T12:20:30")
UTC = Calendar.of("UTC", "USD")


def window(first: str, last: str) -> Window:
    return Window(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("days", "before"),
    [
        (("2026-03-01", "2026-03-31"), ("2026-02-01", "2026-02-28")),
        (("2026-01-01", "2026-01-31"), ("2025-12-01", "2025-12-31")),
        (("2026-01-01", "2026-03-31"), ("2025-10-01", "2025-12-31")),
        (("2026-03-01", "2026-03-09"), ("2026-02-01", "2026-02-09")),
        (("2026-03-01", "2026-03-30"), ("2026-02-01", "2026-02-28")),  # as many as there are
        (("2026-03-02", "2026-03-09"), ("2026-02-22", "2026-03-01")),
        (("2026-02-15", "2026-03-14"), ("2026-01-18", "2026-02-14")),
        (("2026-03-01", "2026-04-05"), ("2026-01-24", "2026-02-28")),
    ],
)
def test_what_days_are_compared_with(days: tuple[str, str], before: tuple[str, str]) -> None:
    assert preceding(window(*days)) == window(*before)


@pytest.mark.parametrize(
    ("days", "over"),
    [
        (("2026-02-01", "2026-02-28"), ("2026-02-01", "2026-02-28")),
        (("2026-03-01", "2026-03-10"), ("2026-03-01", "2026-03-09")),
        (("2026-03-01", "2026-03-31"), ("2026-03-01", "2026-03-09")),
        (("2026-03-10", "2026-03-10"), None),
    ],
)
def test_which_days_are_over(days: tuple[str, str], over: tuple[str, str] | None) -> None:
    assert until_yesterday(window(*days), window("2026-03-10", "2026-03-10")) == (window(*over) if over else None)


def test_twelve_months_end_with_the_present_one() -> None:
    assert last_months(UTC, NOW) == window("2025-04-01", "2026-03-31")


def test_address_of_another_page_keeps_what_was_asked() -> None:
    wanted = read({"window": "7d", "user": "ann & bob", "by": "instance", "utm": "x", "prices": ""}, UTC, NOW, is_own=False)
    assert wanted.address() == "?window=7d&user=ann+%26+bob&by=instance"
    assert wanted.address(by="", user="", window="") == "?"
    assert wanted.about("gpu_class", "h100") == {"gpu_class": "h100"}
    assert wanted.about("category", "") == {"filter": 'charge_category:""'}
    assert days_of(wanted.window) == "2026-03-04,2026-03-11"


def test_what_has_none_joins_a_filter_that_is_there() -> None:
    wanted = read({"filter": 'user:"ann"'}, UTC, NOW, is_own=False)
    assert wanted.about("instance", "") == {"filter": 'user:"ann"+instance:""'}


def test_who_sees_only_their_own_divides_by_instance() -> None:
    own, all_of_it = (read({}, UTC, NOW, is_own=is_own) for is_own in (True, False))
    assert (own.by, own.stack, all_of_it.by, all_of_it.stack) == ("instance", "gpu_class", "user", "gpu_class")
    assert "user" not in {*own.by_choices, *own.stack_choices}
