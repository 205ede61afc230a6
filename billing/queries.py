"""Costs for pages: what was charged, plus what lasting usage has come to by now. All from one snapshot of the books."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, Sum

from billing.accounts import Calendars, calendar_of, reading_calendars
from billing.accrual import Accrued, accrued
from billing.models import DayRollup, Meter, Price, UsageInterval
from billing.money import Money
from billing.rating import Cell, amount_of
from engines.models import GpuClass, Instance
from tenants import access
from tenants.access import Action
from tenants.models import Membership, Tenant


@contextmanager
def snapshot() -> Iterator[None]:
    """See one state of the books in several queries. Within somebody else's transaction that one decides."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


@dataclass(frozen=True, slots=True)
class InstanceCost:
    """What an instance's GPU time cost so far, estimates included; days and months are those of its tenant's account."""

    today: Money
    month: Money
    total: Money
    estimated: Money  # the part of the total that is not charged yet
    has_unpriced: bool  # some of its time has no price: the amounts are not all there is

    @classmethod
    def nothing(cls) -> "InstanceCost":
        """Return the cost of an instance that never ran."""
        zero = Money.zero(settings.DEFAULT_CURRENCY)
        return cls(zero, zero, zero, zero, has_unpriced=False)


def scope_of(membership: Membership) -> int | None:
    """Return whose costs the member sees: one's own (a user id), or everybody's (None)."""
    return None if access.may(membership, Action.SEE_COSTS) else membership.user_id


def visible_to(membership: Membership) -> Q:
    """Limit charges, rollups or usage to what the member may see."""
    owner_id = scope_of(membership)
    return Q(tenant=membership.tenant_id) if owner_id is None else Q(tenant=membership.tenant_id, owner=owner_id)


def cost_of_instances(instance_ids: Collection[UUID], *, now: datetime) -> dict[UUID, InstanceCost]:
    """Return the costs of these instances, of those that have any. Six queries however many they are.

    Of an account that changed its currency only what is in the present one is told.
    """
    with snapshot():
        unpriced = set(Meter.objects.filter(pk__in=instance_ids, unpriced_from__isnull=False).values_list("pk", flat=True))
        tenant_ids = Instance.objects.filter(pk__in=instance_ids).order_by().values_list("tenant_id", flat=True).distinct()
        calendars = reading_calendars(set(tenant_ids))
        charged = _charged(instance_ids, calendars, now)
        lasting = accrued(UsageInterval.objects.filter(instance__in=instance_ids), now=now, calendars=calendars)
    costs: dict[UUID, InstanceCost] = {pk: replace(InstanceCost.nothing(), has_unpriced=True) for pk in unpriced}
    for row in charged:
        today, this_month, total = (Money(row[part], row["currency"]) for part in ("today", "month", "total"))
        pk = row["instance_id"]
        costs[pk] = InstanceCost(today, this_month, total, Money.zero(row["currency"]), has_unpriced=pk in unpriced)
    for running in lasting:
        calendar = calendars[running.interval.tenant_id]
        pk = running.subject_id
        zero = Money.zero(calendar.currency_at(now))
        so_far = costs.get(pk) or InstanceCost(zero, zero, zero, zero, has_unpriced=False)
        costs[pk] = _with_accrued(so_far, running, day=calendar.day_start(now), month=calendar.period_at(now).starts_at)
    return costs


def _charged(instance_ids: Collection[UUID], calendars: Calendars, now: datetime) -> list[dict[str, Any]]:
    """Add up what stands in the books by instance."""
    today = this_month = in_currency = Q(pk__in=[])
    for tenant_id, calendar in calendars.items():
        of_tenant, day = Q(tenant_id=tenant_id), calendar.day_of(now)
        today |= of_tenant & Q(day__gte=day)
        this_month |= of_tenant & Q(day__gte=day.replace(day=1))
        in_currency |= of_tenant & Q(currency=calendar.currency_at(now))
    sums = DayRollup.objects.filter(in_currency, instance__in=instance_ids).order_by().values("instance_id", "currency")
    found = sums.annotate(
        today=Sum("amount", filter=today, default=Decimal(0)),
        month=Sum("amount", filter=this_month, default=Decimal(0)),
        total=Sum("amount"),
    )
    return [dict(row) for row in found]


def _with_accrued(cost: InstanceCost, running: Accrued, *, day: datetime, month: datetime) -> InstanceCost:
    estimated = amount_of_cells(running.cells, cost.total.currency)
    return InstanceCost(
        today=cost.today + amount_of_cells((cell for cell in running.cells if cell.starts_at >= day), cost.total.currency),
        month=cost.month + amount_of_cells((cell for cell in running.cells if cell.starts_at >= month), cost.total.currency),
        total=cost.total + estimated,
        estimated=cost.estimated + estimated,
        has_unpriced=cost.has_unpriced or any(cell.price is None for cell in running.cells),
    )


def amount_of_cells(found: Iterable[Cell], currency: str) -> Money:
    """Add up what the cells cost in this currency; those without a price count nothing and have to be shown beside it."""
    amounts = [cost for cell in found if (cost := cell.cost) is not None and cost.currency == currency]
    return Money.sum(amounts, currency)


def prices_in_force(tenant: Tenant, *, at: datetime) -> dict[int, Money]:
    """Return what an hour costs the tenant, by GPU class; classes without a price are missing. Two queries."""
    in_force = Price.objects.filter(
        Q(tenant__isnull=True) | Q(tenant=tenant),
        Q(ends_at__isnull=True) | Q(ends_at__gt=at),
        starts_at__lte=at,
        gpu_class__isnull=False,
        currency=calendar_of(tenant).currency_at(at),
    )
    list_first = sorted(in_force, key=lambda price: price.tenant_id is not None)
    return {price.gpu_class_id: price.money for price in list_first if price.gpu_class_id is not None}


def price_per_hour(tenant: Tenant, gpu_class: GpuClass, *, at: datetime) -> Money | None:
    """Return what an hour of an instance of the class costs the tenant; None where no price is set."""
    return of_share(prices_in_force(tenant, at=at).get(gpu_class.pk), gpu_class)


def of_share(price: Money | None, gpu_class: GpuClass) -> Money | None:
    """Return what an instance of the class costs, given what its price is for: a share costs its part of a whole GPU."""
    if price is None:
        return None
    return Money(amount_of(price.amount, 3600, gpu_class.billed_milli), price.currency)
