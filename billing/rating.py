"""Usage × prices -> cells of one hour, one price and one owner at most. Pure: never depends on when it is called."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from billing.metering import Usage
from billing.money import Money, round_half_even

HOUR = timedelta(hours=1)
_KEYS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:aigc-portal:billing:charge")


@dataclass(frozen=True, slots=True)
class PriceSpan:
    """What an hour of a GPU class costs during [starts_at, ends_at); for one tenant, or for all (None)."""

    id: int
    gpu_class_id: int
    tenant_id: int | None
    currency: str
    per_hour: Decimal
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A stretch of usage that becomes one charge; without a price it cannot be charged yet."""

    usage: Usage
    starts_at: datetime
    ends_at: datetime
    price: PriceSpan | None

    @property
    def seconds(self) -> int:
        return seconds_between(self.starts_at, self.ends_at)

    @property
    def unit_price(self) -> Money | None:
        """The price of one hour."""
        return None if self.price is None else Money(self.price.per_hour, self.price.currency)

    @property
    def cost(self) -> Money | None:
        """What this stretch costs; None without a price, never zero."""
        return None if self.price is None else Money(amount_of(self.price.per_hour, self.seconds), self.price.currency)


@dataclass(frozen=True, slots=True)
class Rated:
    """What a cell costs."""

    cell: Cell
    price: PriceSpan
    amount: Decimal


def seconds_between(start: datetime, end: datetime) -> int:
    """Return whole seconds."""
    return (end - start) // timedelta(seconds=1)


def floor_hour(at: datetime) -> datetime:
    """Return the full hour (UTC) before or at this moment."""
    return at.replace(minute=0, second=0, microsecond=0)


def amount_of(per_hour: Decimal, seconds: int) -> Decimal:
    """Return what so many seconds cost; rounded once, to nine decimals."""
    return round_half_even(Fraction(per_hour) * seconds / 3600)


def price_at(prices: Iterable[PriceSpan], *, tenant_id: int, gpu_class_id: int, at: datetime) -> PriceSpan | None:
    """Return the price in force: the tenant's own, else the list price."""
    in_force = [
        price
        for price in prices
        if price.gpu_class_id == gpu_class_id
        and price.tenant_id in (tenant_id, None)
        and price.starts_at <= at
        and (price.ends_at is None or at < price.ends_at)
    ]
    return min(in_force, key=lambda price: price.tenant_id is None, default=None)


def cells(usage: Usage, prices: Sequence[PriceSpan], *, since: datetime, until: datetime) -> Iterator[Cell]:
    """Cut usage ∩ [since, until) at full hours (UTC) and wherever a price of its class begins or ends for its tenant."""
    start = max(usage.starts_at, since)
    end = until if usage.ends_at is None else min(usage.ends_at, until)
    if start >= end:
        return
    relevant = [p for p in prices if p.gpu_class_id == usage.gpu_class_id and p.tenant_id in (usage.tenant_id, None)]
    cuts = {start, end}
    cuts.update(at for p in relevant for at in (p.starts_at, p.ends_at) if at is not None and start < at < end)
    hour = floor_hour(start) + HOUR
    while hour < end:
        cuts.add(hour)
        hour += HOUR
    for begin, stop in pairwise(sorted(cuts)):
        price = price_at(relevant, tenant_id=usage.tenant_id, gpu_class_id=usage.gpu_class_id, at=begin)
        yield Cell(usage, begin, stop, price)


def rate(cell: Cell) -> Rated | None:
    """Put price and amount to the cell; None without a price."""
    cost = cell.cost
    return None if cell.price is None or cost is None else Rated(cell, cell.price, cost.amount)


def line_key(instance_id: uuid.UUID, rated: Rated) -> uuid.UUID:
    """Name a charge by what it is for: the same usage at the same price has the same key, whoever works it out."""
    usage = rated.cell.usage
    words = (instance_id, usage.run_id, "gpu", f"{rated.cell.starts_at:%Y-%m-%dT%H:%M:%SZ}", rated.price.id)
    return uuid.uuid5(_KEYS, "|".join(map(str, (*words, usage.tenant_id, usage.owner_id))))
