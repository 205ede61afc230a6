"""Which price is in force for whom, and where prices change. Pure."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.metering import Usage


@dataclass(frozen=True, slots=True)
class PriceSpan:
    """What an hour of a GPU class, or of a GiB of storage, costs in [starts_at, ends_at); for one tenant, or for all (None)."""

    id: int
    gpu_class_id: int | None
    tenant_id: int | None
    currency: str
    per_hour: Decimal
    starts_at: datetime
    ends_at: datetime | None
    storage_class: str = ""  # empty, of storage: of all classes that have no price of their own
    list_per_hour: Decimal | None = None  # None: the list price of the time

    def holds(self, at: datetime) -> bool:
        """Whether it is in force at this moment."""
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)

    @property
    def is_particular(self) -> tuple[bool, bool]:
        """Sorts the more particular price first: a tenant's own before that for all, a class's own before that of all classes."""
        return self.tenant_id is None, self.storage_class == ""


@dataclass(frozen=True, slots=True)
class Applied:
    """A price in force: what is asked, and what it is discounted from."""

    price: PriceSpan
    list_per_hour: Decimal


class PriceBook:
    """All prices there ever were of what is to be rated."""

    def __init__(self, prices: Iterable[PriceSpan]) -> None:
        self._prices = list(prices)
        self._relevant: dict[tuple[int | None, str, int, str], list[PriceSpan]] = {}
        self._bounds: dict[tuple[int | None, str, int, str], list[datetime]] = {}
        self._applied: dict[tuple[int | None, str, int, str], dict[datetime, Applied | None]] = defaultdict(dict)

    def changes(self, usage: Usage, currency: str, start: datetime, end: datetime) -> set[datetime]:
        """Return where a price for this usage begins or ends within (start, end)."""
        key = (usage.gpu_class_id, usage.storage_class, usage.tenant_id, currency)
        bounds = self._bounds.get(key)
        if bounds is None:
            found = {at for price in self._of(usage, currency) for at in (price.starts_at, price.ends_at) if at is not None}
            bounds = self._bounds[key] = sorted(found)
        return set(bounds[bisect_right(bounds, start) : bisect_left(bounds, end)])

    def at(self, usage: Usage, currency: str, at: datetime) -> Applied | None:
        """Return the price in force: the tenant's own, else the one for all; None if there is none."""
        known = self._applied[usage.gpu_class_id, usage.storage_class, usage.tenant_id, currency]
        if at not in known:
            known[at] = self._find(self._of(usage, currency), at)
        return known[at]

    def _of(self, usage: Usage, currency: str) -> list[PriceSpan]:
        key = (usage.gpu_class_id, usage.storage_class, usage.tenant_id, currency)
        if key not in self._relevant:
            relevant = [
                price
                for price in self._prices
                if price.gpu_class_id == usage.gpu_class_id
                and price.storage_class in ("", usage.storage_class)
                and price.tenant_id in (None, usage.tenant_id)
                and price.currency == currency
            ]
            self._relevant[key] = sorted(relevant, key=lambda price: price.is_particular)
        return self._relevant[key]

    @staticmethod
    def _find(relevant: Iterable[PriceSpan], at: datetime) -> Applied | None:
        in_force = [price for price in relevant if price.holds(at)]
        if not in_force:
            return None
        own, public = in_force[0], next((price for price in in_force if price.tenant_id is None), in_force[0])
        listed = (own.list_per_hour, public.list_per_hour, public.per_hour)
        return Applied(own, next(amount for amount in listed if amount is not None))
