"""Sums for pages, programs and exports, from rollups alone: however many charges there are, these take no longer.

`scope` limits what is added, in the fields of the rollups, which have the same names: `Q(tenant=…)`, `Q(owner=…)`, `Q(tag="x")`.
Sums of several currencies are several sums.
"""

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Q, Sum

from billing.models import DayRollup, MonthRollup
from billing.money import Money
from billing.periods import Month

Rollup = DayRollup | MonthRollup
SECONDS_OF_UNIT_HOUR = 3_600_000
"""`milli_unit_seconds` of one GPU, or one GiB, for one hour."""


class Total(NamedTuple):
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
    return _totals(MonthRollup, scope & Q(month__gte=first.first_day, month__lte=last.first_day), by, limit)


def by_day(scope: Q, first: date, last: date, *, by: Sequence[str] = (), limit: int | None = None) -> list[Total]:
    """Add up days of usage, both included, by `day`, `instance`, `volume`, `price` or any field of `by_month` but `month`.

    One query on DayRollup. `limit`: of sums, at most.
    """
    return _totals(DayRollup, scope & Q(day__gte=first, day__lte=last), by, limit)


def by_period(scope: Q, period_ids: Collection[int]) -> dict[tuple[int, str], Total]:
    """Add up what was posted in these periods, by period and currency; those without charges are missing. One query."""
    found = _totals(MonthRollup, scope & Q(period__in=period_ids), ("period",), None)
    return {(total.key[0], total.currency): total for total in found}


def _totals(rollup: type[Rollup], scope: Q, by: Sequence[str], limit: int | None) -> list[Total]:
    try:
        statement = _statement(rollup, scope, tuple(by), limit)
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        rows = cursor.fetchall()
    width = len(by)
    return [
        Total(row[:width], currency, int(seconds), int(milli_unit_seconds), *others)
        for row in rows
        for currency, seconds, milli_unit_seconds, *others in [row[width:]]
    ]


@lru_cache(maxsize=1000)
def _statement(rollup: type[Rollup], scope: Q, by: tuple[str, ...], limit: int | None) -> tuple[str, tuple[Any, ...]]:
    """Return SQL and parameters. Kept, since writing it takes longer than PostgreSQL needs to answer for one tenant."""
    found = (
        rollup.objects.filter(scope)
        .order_by()
        .values_list(*by, "currency")
        .annotate(Sum("seconds"), Sum("milli_unit_seconds"), Sum("amount"), Sum("list_amount"), Sum("charge_count"))
    )
    return found.order_by(*by, "currency")[:limit].query.sql_with_params()
