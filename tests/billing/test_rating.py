"""Usage becomes cells, and cells become amounts."""

import uuid
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.calendars import Calendar
from billing.metering import Usage
from billing.pricebook import PriceBook, PriceSpan
from billing.rating import Cell, amount_of, cells, line_key, seconds_between
from tests.billing.facts import BEGINNING, moment, span

UTC = Calendar.of("UTC", "USD")
FAR = moment("2030-01-01T00:00:00")
HALF_PAST = moment("2026-02-01T00:30:00")
RISING = [span("2.50", BEGINNING, HALF_PAST, id=1), span("3.00", HALF_PAST, id=2)]


def usage(starts_at: datetime, ends_at: datetime | None) -> Usage:
    return Usage("run", starts_at, ends_at, tenant_id=1, owner_id=1, gpu_class_id=1)


def cut(starts_at: datetime, ends_at: datetime | None, prices: list[PriceSpan], until: datetime = FAR) -> list[Cell]:
    return list(cells(usage(starts_at, ends_at), PriceBook(prices), UTC, since=BEGINNING, until=until))


def total(found: list[Cell]) -> Decimal:
    return sum((cell.cost.amount for cell in found if cell.cost), Decimal(0))


@pytest.mark.parametrize(
    ("seconds", "amount"),
    [(1, "0.000694444"), (59, "0.040972222"), (1200, "0.833333333"), (3599, "2.499305556"), (3600, "2.500000000")],
)
def test_amounts_of_case_1(seconds: int, amount: str) -> None:
    assert str(amount_of(Decimal("2.50"), seconds)) == amount


@pytest.mark.parametrize(("nano", "amount"), [(1, 0), (3, 2)])
def test_ties_go_to_the_even_neighbour(nano: int, amount: int) -> None:
    """Case 11."""
    assert amount_of(Decimal(nano).scaleb(-9), 1800) == Decimal(amount).scaleb(-9)


def test_month_and_price_change_of_case_2() -> None:
    found = cut(moment("2026-01-31T23:50:30"), moment("2026-02-01T02:10:15"), RISING)
    assert [(cell.seconds, str(cell.cost.amount)) for cell in found if cell.cost] == [
        (570, "0.395833333"),
        (1800, "1.250000000"),
        (1800, "1.500000000"),
        (3600, "3.000000000"),
        (615, "0.512500000"),
    ]
    assert total(found) == Decimal("6.658333333")
    assert total([cell for cell in found if cell.starts_at.month == 1]) == Decimal("0.395833333")
    assert total([cell for cell in found if cell.starts_at.month == 2]) == Decimal("6.262500000")


def test_leap_year_of_case_20() -> None:
    leap_day = moment("2024-02-29T00:00:00")
    prices = [span("2.50", BEGINNING, leap_day, id=1), span("3.00", leap_day, id=2)]
    found = cut(moment("2024-01-01T00:00:00"), moment("2025-01-01T00:00:00"), prices)
    assert (len(found), sum(cell.seconds for cell in found)) == (8784, 31_622_400)
    assert total(found) == Decimal("25644.000000000")


def test_without_a_price_a_cell_has_no_cost() -> None:
    start = moment("2026-02-01T00:00:00")
    found = cut(start, start + timedelta(hours=1), [span("3.00", HALF_PAST, id=2)])
    assert [(cell.seconds, None if cell.cost is None else str(cell.cost)) for cell in found] == [
        (1800, None),
        (1800, "USD 1.50"),
    ]
    assert found[0].list_cost is None
    with pytest.raises(ValueError, match="has no price"):
        line_key(uuid.UUID(int=7), found[0])


def test_a_tenant_s_own_price_counts_before_the_list_price() -> None:
    prices = [span("3.00", id=1), span("2.00", HALF_PAST, id=2, tenant_id=1), span("1.00", id=3, tenant_id=9)]
    prices.append(span("0.50", id=4, gpu_class_id=9))

    def found(at: datetime) -> int | None:
        applied = PriceBook(prices).at(usage(at, None), "USD", at)
        return applied and applied.price.id

    assert [found(HALF_PAST - timedelta(seconds=1)), found(HALF_PAST), found(BEGINNING - timedelta(seconds=1))] == [1, 2, None]


def test_key_names_what_a_line_is_for() -> None:
    instance_id = uuid.UUID(int=7)
    start = moment("2026-02-01T00:00:00")
    longer, shorter = (cut(start, start + timedelta(minutes=minutes), RISING)[0] for minutes in (20, 10))
    assert line_key(instance_id, longer) == line_key(instance_id, shorter)
    assert line_key(instance_id, longer) != line_key(uuid.UUID(int=8), longer)
    assert line_key(instance_id, longer) == uuid.UUID("f12dd099-602a-5df3-9b40-b941c515e82a")


EDGES = [moment(text) for text in ("2026-03-01", "2026-03-31T16:00", "2026-03-31T18:15", "2026-04-01", "2024-02-29")]
NEAR_AN_EDGE = st.builds(
    lambda edge, off: edge + timedelta(seconds=off),
    st.sampled_from(EDGES),
    st.one_of(st.integers(-2, 2), st.sampled_from([-5400, -3600, 3600, 5400]), st.integers(-5400, 5400)),
)
DURATIONS = st.one_of(st.integers(1, 9000), st.sampled_from([1, 3599, 3600, 3601, 7200]))


@given(NEAR_AN_EDGE, DURATIONS, st.one_of(st.integers(-4000, 9000), st.sampled_from([-1, 0, 1, 3600])))
def test_agrees_with_counting_second_by_second(start: datetime, duration: int, price_change: int) -> None:
    change = start + timedelta(seconds=price_change)
    prices = [span("2.50", BEGINNING, change, id=1), span("3.00", change, id=2)]
    end = start + timedelta(seconds=duration)
    counted: Counter[tuple[int | None, datetime]] = Counter()
    for cell in cut(start, end, prices):
        assert cell.price is not None
        assert cell.cost is not None
        assert abs(Fraction(cell.price.per_hour) * cell.seconds / 3600 - Fraction(cell.cost.amount)) <= Fraction(1, 2 * 10**9)
        counted[cell.price.id, cell.starts_at.replace(minute=0, second=0)] += cell.seconds
    one_by_one: Counter[tuple[int | None, datetime]] = Counter()
    for second in range(duration):
        now = start + timedelta(seconds=second)
        one_by_one[1 if now < change else 2, now.replace(minute=0, second=0)] += 1
    assert counted == one_by_one


@given(NEAR_AN_EDGE, DURATIONS, st.integers(0, 3), st.booleans())
def test_splitting_a_window_at_a_full_hour_changes_nothing(start: datetime, duration: int, hours: int, lasts: bool) -> None:
    end = start + timedelta(seconds=duration)
    middle = start.replace(minute=0, second=0) + timedelta(hours=hours)
    used = usage(start, None if lasts else end)
    book = PriceBook(RISING)
    whole = list(cells(used, book, UTC, since=BEGINNING, until=end))
    before = list(cells(used, book, UTC, since=BEGINNING, until=min(middle, end)))
    after = list(cells(used, book, UTC, since=middle, until=end))
    assert before + after == whole
    assert sum(cell.seconds for cell in whole) == seconds_between(start, end)
