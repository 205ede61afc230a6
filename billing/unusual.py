"""Which days cost more or less than days usually do. Pure.

    unusual: |x − m| > 3 · MAD        m = median of the days        MAD = median of |x − m|

Both medians hardly move when a few days are mad, as a mean and a standard deviation do: F. R. Hampel, "The influence curve and
its role in robust estimation", Journal of the American Statistical Association 69 (1974); on bounds of two to three: C. Leys et
al., "Detecting outliers", Journal of Experimental Social Psychology 49 (2013). MAD is taken as it is, not times 1.4826, which
would make it the standard deviation of a normal distribution: costs of days have none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from billing.money import round_half_even

LEAST_DAYS = 10
"""Of fewer, nobody can say what is usual."""
BOUND = 3


@dataclass(frozen=True, slots=True)
class Usual:
    """What days usually cost, and how far from it half of them are at most."""

    amount: Decimal
    deviation: Decimal

    def has(self, amount: Decimal) -> bool:
        """Tell whether a day that cost so much is a usual one."""
        return abs(amount - self.amount) <= BOUND * self.deviation

    def times(self, amount: Decimal) -> Decimal | None:
        """Return how many usual days it is, with one decimal; None where that says nothing, of credits and the like."""
        return round_half_even(amount / self.amount, 1) if self.amount > 0 and amount >= 0 else None


def usual(amounts: Sequence[Decimal]) -> Usual | None:
    """Look at whole days; None of too few, and where half of them cost the same to the last digit."""
    if len(amounts) < LEAST_DAYS:
        return None
    middle = median(amounts)
    deviation = median(abs(amount - middle) for amount in amounts)
    return Usual(middle, deviation) if deviation else None
