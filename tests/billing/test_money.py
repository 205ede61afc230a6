"""Money keeps its currency and is rounded by one rule."""

from decimal import Decimal
from fractions import Fraction

import pytest

from billing.money import CurrencyMismatch, Money, round_half_even


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


@pytest.mark.parametrize(
    ("amount", "places", "rounded"),
    [
        (Fraction(1, 2), 0, "0"),
        (Fraction(3, 2), 0, "2"),
        (Fraction(5, 6), 9, "0.833333333"),
        (Decimal("0.0000000005"), 9, "0E-9"),
        (Decimal("0.0000000015"), 9, "2E-9"),
        (Decimal("-0.0000000015"), 9, "-2E-9"),
        # Too long for the default decimal context, which would round twice.
        (Fraction(Decimal("12345678901.000000000500000000000000000001")), 9, "12345678901.000000001"),
    ],
)
def test_rounds_once_and_ties_to_even(amount: Fraction | Decimal, places: int, rounded: str) -> None:
    assert str(round_half_even(amount, places)) == rounded


@pytest.mark.parametrize(
    ("money", "shown", "exact"),
    [
        (usd("0.36"), "USD 0.36", "USD 0.36"),
        (usd("0"), "USD 0.00", "USD 0.00"),
        (usd("1234567.5"), "USD 1,234,567.50", "USD 1,234,567.50"),
        (usd("0.833333333"), "USD 0.83", "USD 0.833333333"),
        (usd("0.125000000"), "USD 0.12", "USD 0.125"),
        (usd("0.000694444"), "< USD 0.01", "USD 0.000694444"),
        (usd("-0.000694444"), "> USD -0.01", "USD -0.000694444"),
        (usd("-1.25"), "USD -1.25", "USD -1.25"),
        (usd("100"), "USD 100.00", "USD 100.00"),
        (Money(Decimal("360.4"), "JPY"), "JPY 360", "JPY 360.4"),
        (Money(Decimal("0.4"), "JPY"), "< JPY 1", "JPY 0.4"),
        (Money(Decimal("1.5"), "KWD"), "KWD 1.500", "KWD 1.500"),
    ],
)
def test_is_shown_with_its_currency(money: Money, shown: str, exact: str) -> None:
    assert (str(money), money.exact) == (shown, exact)


def test_adds_up_within_one_currency() -> None:
    assert Money.sum([usd("0.1"), usd("0.2")], "USD") == usd("0.3")
    assert usd("1") - usd("0.4") == usd("0.6")
    assert -usd("1") == usd("-1")
    assert not Money.zero("USD")


@pytest.mark.parametrize(
    "operation", [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a < b, lambda a, b: Money.sum([a, b], "USD")]
)
def test_refuses_to_mix_currencies(operation: object) -> None:
    with pytest.raises(CurrencyMismatch):
        operation(usd("1"), Money(Decimal(1), "EUR"))


@pytest.mark.parametrize("amount", ["0.0000000001", "NaN", "Infinity"])
def test_refuses_what_the_books_cannot_hold(amount: str) -> None:
    with pytest.raises(ValueError, match="at most 9 decimals"):
        usd(amount)


def test_refuses_floats() -> None:
    with pytest.raises(TypeError, match="not in float"):
        Money(0.1, "USD")
