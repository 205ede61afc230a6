"""Which days are unusual: a table."""

from decimal import Decimal

import pytest

from billing.unusual import usual

TEN = ["10", "12", "9", "11", "10", "8", "12", "10", "11", "9"]  # median 10, MAD 1


@pytest.mark.parametrize(
    ("days", "unusual"),
    [
        (TEN, []),
        ([*TEN, "13"], []),  # three times the MAD, and not more
        ([*TEN, "13.000000001"], ["13.000000001"]),
        ([*TEN, "34"], ["34"]),
        ([*TEN, "7"], []),
        ([*TEN, "6.9"], ["6.9"]),
        ([*TEN, "0", "-5", "40"], ["0", "-5", "40"]),
        ([*TEN[:8], "40"], []),  # nine days
        (["0"] * 16 + ["40"] * 15, []),  # half of them cost the same
        (["5"] * 30 + ["500"], []),
        ([], []),
    ],
)
def test_more_than_three_times_the_median_deviation(days: list[str], unusual: list[str]) -> None:
    found = usual([Decimal(day) for day in days])
    assert [day for day in days if found is not None and not found.has(Decimal(day))] == unusual


@pytest.mark.parametrize(("day", "times"), [("34", "3.4"), ("0", "0.0"), ("10.5", "1.0"), ("15.5", "1.6"), ("-5", "None")])
def test_how_many_usual_days_it_is(day: str, times: str) -> None:
    found = usual([Decimal(each) for each in TEN])
    assert found is not None
    assert str(found.times(Decimal(day))) == times


def test_days_that_usually_bring_money_are_no_measure() -> None:
    found = usual([-Decimal(each) for each in TEN])
    assert found is not None
    assert found.times(Decimal(34)) is None
