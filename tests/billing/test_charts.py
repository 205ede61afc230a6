"""Where the parts of charts are drawn."""

from decimal import Decimal

import pytest

from billing.charts import HEIGHT, Group, columns, line, short
from billing.money import Money


def group(*amounts: str, estimated: str = "0", label: str = "") -> Group:
    return Group(label, f"title of {label}", "?", tuple(map(Decimal, amounts)), Decimal(estimated))


def test_columns_stand_on_each_other() -> None:
    chart = columns("x", ["A", "B"], [group("100", "50", estimated="50"), group("0", "20")], "USD")
    assert [tick.text for tick in chart.ticks] == ["0", "50", "100", "150", "200"]
    assert [(tick.y) for tick in chart.ticks] == ["200.00", "150.00", "100.00", "50.00", "0.00"]
    first, second = chart.columns
    assert [(each.number, each.y, each.height) for each in first.slices] == [
        *((1, "100.00", "100.00"), (2, "50.00", "50.00"), (0, "0.00", "50.00"))
    ]
    assert [(each.number, each.y, each.height) for each in second.slices] == [(2, "180.00", "20.00")]
    assert (first.x, first.width, first.middle, second.place_x) == ("9.000%", "32.000%", "25.000%", "50.000%")
    assert (str(first.total), str(first.estimated)) == ("USD 200.00", "USD 50.00")
    assert [(each.label, str(each.total)) for each in chart.series] == [("A", "USD 100.00"), ("B", "USD 70.00")]
    assert second.amounts == (("B", Money(Decimal(20), "USD")),)
    assert chart.zero == f"{HEIGHT}.00"


def test_what_is_negative_hangs_from_zero() -> None:
    chart = columns("x", ["A", "B", "C"], [group("30", "-10", "-5")], "USD")
    assert [tick.text for tick in chart.ticks] == ["-20", "0", "20", "40"]
    assert chart.zero == "133.33"
    assert [(each.number, each.y, each.height) for each in chart.columns[0].slices] == [
        *((1, "33.33", "100.00"), (2, "133.33", "33.33"), (3, "166.67", "16.67"))
    ]


@pytest.mark.parametrize("amounts", [[], ["0"], ["0", "0"]])
def test_nothing_is_flat(amounts: list[str]) -> None:
    chart = line("x", [group(each) for each in amounts], "USD")
    assert [tick.text for tick in chart.ticks] == ["0", "1"]
    assert {point.y for point in chart.points} <= {"200.00"}


@pytest.mark.parametrize("largest", ["0.000000001", "0.03", "0.999", "1", "1.01", "7", "99.5", "1234567.89", "90000000000"])
@pytest.mark.parametrize("sign", [1, -1])
def test_everything_is_within_round_numbers(largest: str, sign: int) -> None:
    chart = line("x", [group(str(sign * Decimal(largest))), group("0")], "USD")
    assert 2 <= len(chart.ticks) <= 6
    assert all(0 <= Decimal(point.y) <= HEIGHT for point in chart.points)
    assert {chart.ticks[0].y, chart.ticks[-1].y} == {"0.00", f"{HEIGHT}.00"}


def test_line_goes_through_its_points_and_is_dashed_to_an_estimate() -> None:
    chart = line("x", [group("10"), group("20"), group("5", estimated="5")], "USD")
    assert [(point.x, point.y, point.booked_y) for point in chart.points] == [
        *(("16.667%", "100.00", "100.00"), ("50.000%", "0.00", "0.00"), ("83.333%", "100.00", "150.00"))
    ]
    assert [(each.x1, each.y1, each.x2, each.y2, each.is_estimated) for each in chart.segments] == [
        ("16.667%", "100.00", "50.000%", "0.00", False),
        ("50.000%", "0.00", "83.333%", "100.00", True),
    ]


def test_limit_is_part_of_the_scale() -> None:
    chart = line("x", [group("10")], "USD", limit=Money(Decimal(40), "USD"))
    assert (chart.limit_y, chart.points[0].y) == ("0.00", "150.00")


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0"), ("0.05", "0.05"), ("250", "250"), ("1500", "1.5k"), ("-2000000", "-2M"), ("1E+3", "1k"), ("2E+1", "20")],
)
def test_numbers_of_axes_are_short(amount: str, text: str) -> None:
    assert short(Decimal(amount)) == text
