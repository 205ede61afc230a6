"""What use that is still to come would cost: by the prices that are set now, changes that are set for later included."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from billing.calendars import Calendar
from billing.metering import Usage, UsageKind
from billing.money import Money
from billing.pricebook import Applied, PriceBook
from billing.pricing import price_spans
from billing.rating import Cell, cells
from engines.models import GpuClass


@dataclass(frozen=True, slots=True)
class Plan:
    """A run of an engine, and storage, for a time [starts_at, ends_at) in whole seconds; either may be missing."""

    starts_at: datetime
    ends_at: datetime
    gpu_class: GpuClass | None = None
    storage_gib: int = 0
    storage_class: str = ""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time of one price. Amounts are sums of what would be charged, cell by cell; None: there is no price."""

    kind: str
    starts_at: datetime
    ends_at: datetime
    seconds: int
    quantity: Decimal
    currency: str
    per_hour: Decimal | None
    list_per_hour: Decimal | None
    amount: Decimal | None
    list_amount: Decimal | None


def estimate(plan: Plan, *, tenant_id: int, calendar: Calendar) -> list[Stretch]:
    """Return the stretches of one price each, GPU time first. One query; nothing is written."""
    wanted = []
    if plan.gpu_class is not None:
        wanted.append(_usage(plan, tenant_id, UsageKind.GPU, plan.gpu_class.billed_milli))
    if plan.storage_gib:
        wanted.append(_usage(plan, tenant_id, UsageKind.STORAGE, plan.storage_gib * 1000))
    book = PriceBook(price_spans([usage.gpu_class_id for usage in wanted]))
    return [stretch for usage in wanted for stretch in _stretches(usage, book, calendar)]


def _usage(plan: Plan, tenant_id: int, kind: UsageKind, quantity_milli: int) -> Usage:
    is_gpu = kind == UsageKind.GPU
    return Usage(
        run_id="",
        starts_at=plan.starts_at,
        ends_at=plan.ends_at,
        tenant_id=tenant_id,
        owner_id=0,
        gpu_class_id=plan.gpu_class.pk if is_gpu and plan.gpu_class else None,
        kind=kind,
        quantity_milli=quantity_milli,
        storage_class="" if is_gpu else plan.storage_class,
    )


def _stretches(usage: Usage, book: PriceBook, calendar: Calendar) -> Iterable[Stretch]:
    until = usage.ends_at or usage.starts_at
    found = cells(usage, book, calendar, since=usage.starts_at, until=until)
    for (applied, currency), alike in groupby(found, key=lambda cell: (cell.applied, calendar.currency_at(cell.starts_at))):
        yield _stretch(applied, currency, list(alike))


def _stretch(applied: Applied | None, currency: str, alike: list[Cell]) -> Stretch:
    return Stretch(
        kind=alike[0].usage.kind,
        starts_at=alike[0].starts_at,
        ends_at=alike[-1].ends_at,
        seconds=sum(cell.seconds for cell in alike),
        quantity=alike[0].quantity,
        currency=currency,
        per_hour=applied.price.per_hour if applied else None,
        list_per_hour=applied.list_per_hour if applied else None,
        amount=_sum((cell.cost for cell in alike), currency) if applied else None,
        list_amount=_sum((cell.list_cost for cell in alike), currency) if applied else None,
    )


def _sum(costs: Iterable[Money | None], currency: str) -> Decimal:
    return Money.sum((cost for cost in costs if cost is not None), currency).amount
