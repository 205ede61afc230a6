"""Amounts with their currency, and the one rounding rule. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Self

PLACES = 9
"""Decimal places that the books keep: a nano of the currency."""

_DIGITS = dict.fromkeys(
    (
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
        *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
    ),
    0,
) | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)


class CurrencyMismatch(ValueError):
    """Amounts of different currencies were added or compared."""


def divide_half_even(number: int, by: int) -> int:
    """Divide whole numbers (`by` > 0) and round exactly, ties to the even neighbour. Nothing else in the product rounds money."""
    quotient, rest = divmod(number, by)
    return quotient + (2 * rest > by or (2 * rest == by and quotient % 2 == 1))


def round_half_even(amount: Decimal | Fraction, places: int = PLACES) -> Decimal:
    """Round to so many decimals, ties to the even neighbour."""
    numerator, denominator = amount.as_integer_ratio()
    return Decimal(divide_half_even(numerator * 10**places, denominator)).scaleb(-places)


def units(milli: int) -> Decimal:
    """Return thousandths as a number without trailing zeros: 250 is 0.25."""
    return Decimal(milli // 1000) if milli % 1000 == 0 else (Decimal(milli) / 1000).normalize()


def minor_digits(currency: str) -> int:
    """Return how many decimals people expect of this currency (ISO 4217)."""
    return _DIGITS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount of one currency, with at most nine decimals."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal):
            raise TypeError(f"Money counts in Decimal, not in {type(self.amount).__name__}.")
        exponent = self.amount.as_tuple().exponent
        if not isinstance(exponent, int) or exponent < -PLACES:
            raise ValueError(f"{self.amount} is not an amount of at most {PLACES} decimals.")

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Return nothing, of this currency."""
        return cls(Decimal(0), currency)

    @classmethod
    def sum(cls, amounts: Iterable["Money"], currency: str) -> "Money":
        """Add up; `currency` is that of the empty sum and of every amount."""
        total: Money = cls.zero(currency)
        for amount in amounts:
            total += amount
        return total

    def __add__(self, other: "Money") -> "Money":
        self._require_same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._require_same(other)
        return Money(self.amount - other.amount, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __lt__(self, other: "Money") -> bool:
        self._require_same(other)
        return self.amount < other.amount

    def __bool__(self) -> bool:
        return bool(self.amount)

    def __str__(self) -> str:
        """For people: "USD 0.36". What would round to nothing says "< USD 0.01", never zero."""
        digits = minor_digits(self.currency)
        shown = round_half_even(self.amount, digits)
        if self.amount and not shown:
            least = Decimal(1).scaleb(-digits)
            return f"< {self.currency} {least}" if self.amount > 0 else f"> {self.currency} -{least}"
        return f"{self.currency} {shown:,.{digits}f}"

    @property
    def exact(self) -> str:
        """Every digit that is not a trailing zero, yet at least the currency's own: "USD 0.833333333", "USD 2.50"."""
        digits = max(minor_digits(self.currency), _significant_places(self.amount))
        return f"{self.currency} {self.amount:,.{digits}f}"

    @property
    def plain(self) -> str:
        """For machines: all nine decimals, no currency."""
        return f"{self.amount:.{PLACES}f}"

    def _require_same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not add up.")


def _significant_places(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
