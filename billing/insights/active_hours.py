"""What an hour of actual use costs, and a picture. Pure.

    per active hour = p · R ÷ A        per picture = cost ÷ pictures

p · R is what was paid for, active or not; A: active seconds; pictures: those that the engines told of.
"""

from decimal import Decimal
from fractions import Fraction

from billing.money import round_half_even


def per_active_hour(cost: Decimal, active_seconds: int) -> Decimal | None:
    """Return the price of an active hour, with nine decimals; None if nothing was active."""
    return round_half_even(Fraction(cost) * 3600 / active_seconds) if active_seconds else None


def per_picture(cost: Decimal, pictures: int | None) -> Decimal | None:
    """Return the price of a picture, with nine decimals; None if there was none, or no engine told."""
    return round_half_even(Fraction(cost) / pictures) if pictures else None
