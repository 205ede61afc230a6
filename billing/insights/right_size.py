"""Whether another GPU class would be cheaper, together with idleness: a cheap one may only make idling cheap. Pure.

    cost ratio = p' ÷ p · (a · s + 1 − a)        without idling = p' · s ÷ p
    break-even s = (p ÷ p' − (1 − a)) ÷ a        without idling = p ÷ p'

p, p': price for an hour, present and other; a: active part of the time; s: how many times as long work takes on the other. What a
class is worth is told without idling, which pausing removes: only where that saves 15 %, 20 active hours were seen, and memory is
known to be enough, is it advice. A memory of which 90 % is needed is taken to be enough.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from billing.money import round_half_even

LEAST_SAVED = Decimal("0.15")
LEAST_ACTIVE_SECONDS = 20 * 3600
_FILLED = Decimal("0.9")


@dataclass(frozen=True, slots=True)
class Other:
    """Another class; what is None is not known."""

    name: str
    per_hour: Decimal
    memory_mib: int | None = None
    slow_down: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of the present class: the active part of its time, and the memory that was used at most."""

    per_hour: Decimal
    active_seconds: int
    charged_seconds: int
    memory_mib: int | None = None

    @property
    def active_part(self) -> Decimal:
        """Between 0 and 1."""
        return Decimal(self.active_seconds) / self.charged_seconds if self.charged_seconds else Decimal(0)


@dataclass(frozen=True, slots=True)
class Size:
    """One class beside the present one. Ratios below 1 are cheaper; three decimals; None where it is not known or cannot be."""

    other: Other
    ratio: Decimal | None  # with as much idling as now
    ratio_active: Decimal | None  # without any
    break_even: Decimal | None
    break_even_active: Decimal | None
    slowest_that_saves: Decimal | None  # 15 % at least, without idling
    fits: bool | None
    is_advised: bool


def sizes(observed: Observed, others: Iterable[Other]) -> list[Size]:
    """Compare with each other class, the cheapest first."""
    return [_size(observed, other) for other in sorted(others, key=lambda other: (other.per_hour, other.name))]


def _size(observed: Observed, other: Other) -> Size:
    p, a, s = observed.per_hour, observed.active_part, other.slow_down
    times = other.per_hour / p if p else None  # p' ÷ p
    fits = _fits(observed, other)
    ratio_active = times * s if times is not None and s is not None else None
    is_enough = observed.active_seconds >= LEAST_ACTIVE_SECONDS and fits is True
    return Size(
        other=other,
        ratio=_told(times * (a * s + 1 - a) if times is not None and s is not None else None),
        ratio_active=_told(ratio_active),
        break_even=_told((1 / times - (1 - a)) / a if times and a else None),
        break_even_active=_told(1 / times if times else None),
        slowest_that_saves=_told((1 - LEAST_SAVED) / times if times else None),
        fits=fits,
        is_advised=is_enough and ratio_active is not None and ratio_active <= 1 - LEAST_SAVED,
    )


def _fits(observed: Observed, other: Other) -> bool | None:
    if observed.memory_mib is None or not other.memory_mib:
        return None
    return observed.memory_mib <= _FILLED * other.memory_mib


def _told(number: Decimal | None) -> Decimal | None:
    return None if number is None else round_half_even(number, 3)
