"""How few GPUs would have been enough for everybody, and what those would still waste. Pure; of one GPU class.

    factor = N ÷ K        pool cost = p · K · W ÷ 3600        utilisation = R ÷ (K · W)

N: instances; K: most that ran at one moment; W: seconds of the window; R: seconds charged; p: price for an hour. Time-sharing is
what a team saves, the idle part of the pool is what whoever runs the GPUs still pays.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from billing.insights.stretches import Stretch, total
from billing.money import round_half_even
from billing.rating import amount_of


@dataclass(frozen=True, slots=True)
class Pool:
    """The smallest pool that would have served all of the time."""

    instances: int
    peak: int
    window_seconds: int
    used_seconds: int
    cost: Decimal
    used: Decimal

    @property
    def idle(self) -> Decimal:
        """What of its cost nobody used."""
        return self.cost - self.used

    @property
    def factor(self) -> Decimal:
        """Instances for each GPU of the pool, with two decimals."""
        return round_half_even(Decimal(self.instances) / self.peak, 2)

    @property
    def utilisation(self) -> Decimal:
        """The part of the pool's time that was used, with four decimals."""
        return round_half_even(Decimal(self.used_seconds) / (self.peak * self.window_seconds), 4)


def peak(stretches: Iterable[Stretch]) -> int:
    """Return how many were under way at the busiest moment; what ends as another begins is not beside it."""
    changes = [change for each in stretches for change in ((each.starts_at, 1), (each.ends_at, -1))]
    running = most = 0
    for _at, change in sorted(changes):
        running += change
        most = max(most, running)
    return most


def pool(instances: int, runs: Iterable[Stretch], window: Stretch, per_hour: Decimal) -> Pool | None:
    """Look at all runs of a class within the window; None if there were none."""
    runs = list(runs)
    most = peak(runs)
    if not most:
        return None
    seconds = total(runs)
    return Pool(
        instances=instances,
        peak=most,
        window_seconds=window.seconds,
        used_seconds=seconds,
        cost=amount_of(per_hour, most * window.seconds),
        used=amount_of(per_hour, seconds),
    )
