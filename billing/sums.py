"""Sums for pages, programs and exports, from rollups alone: however many charges there are, these take no longer.

`scope` limits what is added, in the fields of the rollups, which have the same names: `Q(tenant=…)`, `Q(owner=…)`, `Q(tag="x")`.
Sums of several currencies are several sums.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, Sum

from billing.models import DayRollup, MonthRollup
from billing.money import Money
from billing.periods import Month

SECONDS_OF_UNIT_HOUR = 3_600_000
"""`milli_unit_seconds` of one GPU, or one GiB, for one hour."""


@dataclass(frozen=True, slots=True)
class Total:
    """What all charges with the same `key` come to: the values of the fields that were asked for, in their order."""

    key: tuple[Any, ...]
    currency: str
    seconds: int
    milli_unit_seconds: int
    amount: Decimal
    list_amount: Decimal
    charge_count: int

    @property
    def money(self) -> Money:
        """The amount, with its currency."""
        return Money(self.amount, self.currency)

    @property
    def list_money(self) -> Money:
        """The same at list prices."""
        return Money(self.list_amount, self.currency)

    @property
    def unit_hours(self) -> Decimal:
        """GPU-hours or GiB-hours, which only make sense within one category; twelve decimals at most."""
        return (Decimal(self.milli_unit_seconds) / SECONDS_OF_UNIT_HOUR).quantize(Decimal(10) ** -12)


def by_month(scope: Q, first: Month, last: Month, *, by: Sequence[str] = (), limit: int | None = None) -> list[Total]:
    """Add up whole months of usage, both included, by `month`, `category`, `owner`, `gpu_class`, `tag`, `period`, `tenant`, ….

    One query on MonthRollup, which knows neither days nor instances. `limit`: of sums, at most.
    """
    rows = MonthRollup.objects.filter(scope, month__gte=first.first_day, month__lte=last.first_day)
    return _totals(rows, by, limit)


def by_day(scope: Q, first: date, last: date, *, by: Sequence[str] = (), limit: int | None = None) -> list[Total]:
    """Add up days of usage, both included, by `day`, `instance`, `volume`, `price` or any field of `by_month` but `month`.

    One query on DayRollup. `limit`: of sums, at most.
    """
    return _totals(DayRollup.objects.filter(scope, day__gte=first, day__lte=last), by, limit)


def by_period(scope: Q, period_ids: Collection[int]) -> dict[tuple[int, str], Total]:
    """Add up what was posted in these periods, by period and currency; those without charges are missing. One query."""
    found = _totals(MonthRollup.objects.filter(scope, period__in=period_ids), ("period",), None)
    return {(total.key[0], total.currency): total for total in found}


def _totals(rows: QuerySet[Any], by: Sequence[str], limit: int | None) -> list[Total]:
    found = (
        rows.order_by()
        .values_list(*by, "currency")
        .annotate(Sum("seconds"), Sum("milli_unit_seconds"), Sum("amount"), Sum("list_amount"), Sum("charge_count"))
    )
    width = len(by)
    return [Total(row[:width], *row[width:]) for row in found.order_by(*by, "currency")[:limit]]
