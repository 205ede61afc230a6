"""Why GPU time costs more or less than before: hours, GPU classes, prices. Pure; the parts add up to the difference."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.money import round_half_even

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Used:
    """What was used of one GPU class, in any unit of time, and what that cost."""

    quantity: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Bridge:
    """From what it cost before to what it costs now."""

    volume: Decimal  # more or fewer hours, at the average price of before
    mix: Decimal  # dearer or cheaper classes than before, at their prices of before
    price: Decimal  # other prices than before


def bridge(before: Mapping[str, Used], after: Mapping[str, Used]) -> Bridge:
    """Compare two stretches of time by GPU class. A class that was not used before counts as mix, at its present price.

    Hours × average price tell the volume, hours by class × their prices of before the mix, and what is left are prices.
    """
    hours_before, hours_after = (sum(used.quantity for used in found.values()) for found in (before, after))
    spent_before, spent_after = (sum((used.amount for used in found.values()), _ZERO) for found in (before, after))
    if not hours_before or not hours_after:
        return Bridge(spent_after - spent_before, _ZERO, _ZERO)
    at_average = Fraction(spent_before) * hours_after / hours_before
    at_old_prices = sum((_at_old_price(used, before.get(name)) for name, used in after.items()), Fraction(0))
    volume = round_half_even(at_average - Fraction(spent_before))
    mix = round_half_even(at_old_prices - at_average)
    return Bridge(volume, mix, spent_after - spent_before - volume - mix)


def _at_old_price(used: Used, before: Used | None) -> Fraction:
    if before is None or not before.quantity:
        return Fraction(used.amount)
    return Fraction(before.amount) * used.quantity / before.quantity
