"""Why GPU time costs more or less."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from billing.bridge import Bridge, Used, bridge

HOUR = 3_600_000


def used(hours: int, amount: str) -> Used:
    return Used(hours * HOUR, Decimal(amount))


def test_more_hours_at_a_higher_price() -> None:
    assert bridge({"h100": used(1000, "2500")}, {"h100": used(1150, "3105")}) == Bridge(Decimal(375), Decimal(0), Decimal(230))


def test_dearer_class_for_as_many_hours() -> None:
    before = {"l4": used(10, "6"), "h100": used(10, "25")}
    after = {"l4": used(5, "3"), "h100": used(15, "37.5")}
    assert bridge(before, after) == Bridge(Decimal(0), Decimal("9.5"), Decimal(0))


def test_class_that_is_new_is_mix() -> None:
    assert bridge({"l4": used(10, "6")}, {"l4": used(10, "6"), "h100": used(10, "25")}) == Bridge(
        Decimal(6), Decimal(19), Decimal(0)
    )


def test_from_and_to_nothing() -> None:
    assert bridge({}, {"l4": used(1, "0.6")}) == Bridge(Decimal("0.6"), Decimal(0), Decimal(0))
    assert bridge({"l4": used(1, "0.6")}, {}) == Bridge(Decimal("-0.6"), Decimal(0), Decimal(0))
    assert bridge({}, {}) == Bridge(Decimal(0), Decimal(0), Decimal(0))


SIDES = st.dictionaries(
    st.sampled_from("abcd"), st.builds(Used, st.integers(0, 10**9), st.decimals(0, 10**6, places=9)), max_size=4
)


@given(SIDES, SIDES)
def test_parts_add_up_and_prices_alone_change_prices_alone(before: dict[str, Used], after: dict[str, Used]) -> None:
    found = bridge(before, after)
    difference = sum(each.amount for each in after.values()) - sum(each.amount for each in before.values())
    assert Fraction(found.volume) + Fraction(found.mix) + Fraction(found.price) == Fraction(difference)
    as_before = {name: Used(each.quantity, Decimal(each.quantity)) for name, each in before.items()}
    dearer = {name: Used(each.quantity, 2 * each.amount) for name, each in as_before.items()}
    again = bridge(as_before, dearer)
    if sum(each.quantity for each in as_before.values()):
        assert (again.volume, again.mix) == (0, 0)
