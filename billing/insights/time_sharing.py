"""What pausing has saved, beside engines that would have been on for as long as they were there. Pure.

    saved = Σ p · (L − R) ÷ 3600        rate = saved ÷ Σ p · L ÷ 3600, which is 1 − R ÷ L at one price

L: seconds from the making of an instance to its deletion; R: seconds that were charged; p: its price for an hour.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from billing.money import round_half_even
from billing.rating import amount_of


@dataclass(frozen=True, slots=True)
class Life:
    """One instance; `per_hour` is its price."""

    seconds: int
    charged_seconds: int
    per_hour: Decimal


@dataclass(frozen=True, slots=True)
class Saved:
    """What all of them together would have cost, and did."""

    seconds: int
    charged_seconds: int
    always_on: Decimal
    paid: Decimal

    @property
    def amount(self) -> Decimal:
        """What was saved."""
        return self.always_on - self.paid

    @property
    def rate(self) -> Decimal | None:
        """The part of `always_on` that was saved, with four decimals; None without any."""
        return round_half_even(self.amount / self.always_on, 4) if self.always_on else None


def saved(lives: Iterable[Life]) -> Saved:
    """Add up instances."""
    lives = list(lives)
    return Saved(
        seconds=sum(life.seconds for life in lives),
        charged_seconds=sum(life.charged_seconds for life in lives),
        always_on=sum((amount_of(life.per_hour, life.seconds) for life in lives), Decimal(0)),
        paid=sum((amount_of(life.per_hour, life.charged_seconds) for life in lives), Decimal(0)),
    )
