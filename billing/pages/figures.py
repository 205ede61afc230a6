"""What something came to, and how that compares."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.allocation import ZERO, Allocation
from billing.money import Money, round_half_even
from billing.pages.wanted import Wanted
from billing.sums import SECONDS_OF_UNIT_HOUR

MOST_PERCENT = 1000
"""Beside next to nothing, such as what rounding came to, a number of per cent says nothing."""


@dataclass(slots=True)
class Figures:
    """What one thing came to; `before` and `previous` are of the days that are compared."""

    currency: str
    booked: Decimal = ZERO
    estimated_amount: Decimal = ZERO
    gpu_amount: Decimal = ZERO
    gpu_milli_unit_seconds: int = 0
    before: Decimal = ZERO
    previous: Decimal = ZERO

    @property
    def amount(self) -> Money:
        """In the books and estimated, together."""
        return Money(self.booked + self.estimated_amount, self.currency)

    @property
    def estimated(self) -> Money:
        return Money(self.estimated_amount, self.currency)

    @property
    def previous_money(self) -> Money:
        return Money(self.previous, self.currency)

    @property
    def difference(self) -> Money:
        """How much more the days that are over cost than those before them."""
        return Money(self.before - self.previous, self.currency)

    @property
    def change(self) -> Decimal | None:
        """The same in percent with one decimal; None where there was nothing before, or next to nothing."""
        if self.previous <= 0:
            return None
        found = percent(self.before - self.previous, self.previous)
        return found if abs(found) < MOST_PERCENT else None

    @property
    def gpu_hours(self) -> Decimal:
        """GPU-hours that are in the books, with two decimals."""
        return round_half_even(Fraction(self.gpu_milli_unit_seconds, SECONDS_OF_UNIT_HOUR), 2)

    @property
    def gpu_hours_text(self) -> str:
        """The same for people: "2,727.14"."""
        return f"{self.gpu_hours:,}"

    @property
    def price_per_gpu_hour(self) -> Money | None:
        """What a GPU-hour came to on average; None without any."""
        if not self.gpu_milli_unit_seconds:
            return None
        return Money(
            round_half_even(Fraction(self.gpu_amount) * SECONDS_OF_UNIT_HOUR / self.gpu_milli_unit_seconds), self.currency
        )

    def add(self, other: "Figures") -> None:
        """Take in what something else came to."""
        self.booked += other.booked
        self.estimated_amount += other.estimated_amount
        self.gpu_amount += other.gpu_amount
        self.gpu_milli_unit_seconds += other.gpu_milli_unit_seconds
        self.before += other.before
        self.previous += other.previous


def booked(allocation: Allocation, wanted: Wanted) -> Decimal:
    """Return what stands in the books, at the prices that are asked for."""
    return allocation.list_amount if wanted.at_list_prices else allocation.amount


def estimated(allocation: Allocation, wanted: Wanted) -> Decimal:
    """Return what lasts and is not charged yet, at the prices that are asked for."""
    return allocation.list_estimated if wanted.at_list_prices else allocation.estimated


def percent(part: Decimal, whole: Decimal) -> Decimal:
    """Return a share of something that is not zero, with one decimal."""
    return round_half_even(Fraction(part) * 100 / Fraction(whole), 1)
