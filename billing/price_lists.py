"""Every price there ever was, by what it is for and for whom, and what a month would have come to at another."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import groupby

from django.db.models import Q, Sum

from billing.models import DayRollup, Price
from billing.money import Money, round_half_even
from billing.periods import Month
from billing.sums import SECONDS_OF_UNIT_HOUR
from engines.models import GpuClass
from tenants.models import Tenant


class Phase(StrEnum):
    """Where in its life a price is; one that was replaced before it began never applied."""

    COMING = "coming"
    IN_FORCE = "in_force"
    OVER = "over"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Entry:
    """One price, and whether it holds now."""

    price: Price
    phase: Phase

    @property
    def listed(self) -> Money | None:
        """What a discount is told from; None: the list price of the time."""
        price = self.price
        listed = price.per_hour if price.list_per_hour is None and price.tenant_id is None else price.list_per_hour
        return None if listed is None else Money(listed, price.currency)


@dataclass(frozen=True, slots=True)
class PriceList:
    """The history of one price: of a GPU class or of storage, for one tenant or everybody, in one currency; newest first."""

    gpu_class: GpuClass | None
    storage_class: str
    tenant: Tenant | None
    currency: str
    entries: list[Entry]

    @property
    def in_force(self) -> Entry | None:
        """The one that holds now."""
        return next((entry for entry in self.entries if entry.phase == Phase.IN_FORCE), None)


def price_lists(scope: Q, *, now: datetime) -> list[PriceList]:
    """Return all histories that have a price in `scope`, list prices before those of tenants. One query."""
    rows = Price.objects.filter(scope).select_related("gpu_class", "tenant", "created_by")
    ordered = sorted(rows, key=lambda price: (_what(price), -price.starts_at.timestamp(), -price.pk))
    return [_price_list(list(prices), now) for _key, prices in groupby(ordered, key=_what)]


def phase_of(price: Price, now: datetime) -> Phase:
    """Tell whether a price holds at this moment, did, will, or never does."""
    if price.ends_at is not None and price.ends_at <= price.starts_at:
        return Phase.NEVER
    if price.starts_at > now:
        return Phase.COMING
    return Phase.IN_FORCE if price.ends_at is None or price.ends_at > now else Phase.OVER


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One tenant's time in a month, as it was charged and as it would have been; never part of the books."""

    tenant: Tenant
    currency: str
    milli_unit_seconds: int
    charged: Money
    listed: Money
    supposed: Money

    @property
    def unit_hours(self) -> Decimal:
        """GPU-hours, with two decimals."""
        return (Decimal(self.milli_unit_seconds) / SECONDS_OF_UNIT_HOUR).quantize(Decimal("0.01"))

    @property
    def difference(self) -> Money:
        """Above 0: it would have cost more."""
        return self.supposed - self.charged


def what_if(gpu_class: GpuClass, per_hour: Decimal, month: Month, *, tenant: Tenant | None, currency: str) -> list[WhatIf]:
    """Rate a month's time of one class again: a tenant's, or all that was charged at the list price. Two queries.

    From sums, each rounded once: line by line it could differ by half a nano for each line.
    """
    rows = DayRollup.objects.filter(
        Q(price__tenant=None) if tenant is None else Q(tenant=tenant),
        day__gte=month.first_day,
        day__lte=month.last_day,
        category="gpu",
        gpu_class=gpu_class,
        currency=currency,
    )
    found = rows.order_by().values_list("tenant").annotate(Sum("milli_unit_seconds"), Sum("amount"), Sum("list_amount"))
    tenants = Tenant.objects.in_bulk([row[0] for row in found])
    supposed = [
        WhatIf(
            tenant=tenants[tenant_id],
            currency=currency,
            milli_unit_seconds=quantity,
            charged=Money(amount, currency),
            listed=Money(list_amount, currency),
            supposed=Money(round_half_even(per_hour * quantity / SECONDS_OF_UNIT_HOUR), currency),
        )
        for tenant_id, quantity, amount, list_amount in found
    ]
    return sorted(supposed, key=lambda row: (-row.charged.amount, row.tenant.name))


def _what(price: Price) -> tuple[bool, str, str, bool, str, str]:
    """By what prices belong together, in the order in which they are shown."""
    of_class = price.gpu_class.name if price.gpu_class else ""
    return (
        price.gpu_class is None,
        of_class,
        price.storage_class,
        price.tenant is not None,
        price.tenant.slug if price.tenant else "",
        price.currency,
    )


def _price_list(prices: Iterable[Price], now: datetime) -> PriceList:
    prices = list(prices)
    first = prices[0]
    entries = [Entry(price, phase_of(price, now)) for price in prices]
    return PriceList(first.gpu_class, first.storage_class, first.tenant, first.currency, entries)
