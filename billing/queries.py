"""Costs for pages: what was charged, plus what lasting usage has come to by now. All from one snapshot of the books."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, Sum

from billing.accrual import Accrued, accrued
from billing.models import Charge, Meter, Price, UsageInterval
from billing.money import Money
from billing.periods import Month, day_start
from billing.rating import Cell
from engines.models import GpuClass
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
    """What an instance cost so far, estimates included."""

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


def cost_of_instances(instance_ids: Collection[UUID], *, now: datetime) -> dict[UUID, InstanceCost]:
    """Return the costs of these instances, of those that have any. Four queries however many they are."""
    day, month = day_start(now), Month.of(now)
    with snapshot():
        unpriced = set(Meter.objects.filter(pk__in=instance_ids, unpriced_from__isnull=False).values_list("pk", flat=True))
        charged = list(
            Charge.objects.filter(instance__in=instance_ids)
            .order_by()
            .values("instance_id", "currency")
            .annotate(
                today=Sum("amount", filter=Q(starts_at__gte=day), default=Decimal(0)),
                month=Sum("amount", filter=Q(starts_at__gte=month.starts_at), default=Decimal(0)),
                total=Sum("amount"),
            )
        )
        lasting = accrued(UsageInterval.objects.filter(instance__in=instance_ids), now=now)
    costs: dict[UUID, InstanceCost] = {pk: replace(InstanceCost.nothing(), has_unpriced=True) for pk in unpriced}
    for row in charged:
        today, this_month, total = (Money(row[part], row["currency"]) for part in ("today", "month", "total"))
        pk = row["instance_id"]
        costs[pk] = InstanceCost(today, this_month, total, Money.zero(row["currency"]), has_unpriced=pk in unpriced)
    for running in lasting:
        so_far = costs.get(running.instance_id) or InstanceCost.nothing()
        costs[running.instance_id] = _with_accrued(so_far, running, day=day, month=month.starts_at)
    return costs


def _with_accrued(cost: InstanceCost, running: Accrued, *, day: datetime, month: datetime) -> InstanceCost:
    estimated = amount_of_cells(running.cells)
    return InstanceCost(
        today=cost.today + amount_of_cells(cell for cell in running.cells if cell.starts_at >= day),
        month=cost.month + amount_of_cells(cell for cell in running.cells if cell.starts_at >= month),
        total=cost.total + estimated,
        estimated=cost.estimated + estimated,
        has_unpriced=cost.has_unpriced or any(cell.price is None for cell in running.cells),
    )


def amount_of_cells(found: Iterable[Cell]) -> Money:
    """Add up what the cells cost; those without a price count nothing and have to be shown beside it."""
    amounts = [cost for cell in found if (cost := cell.cost) is not None]
    return Money.sum(amounts, amounts[0].currency if amounts else settings.DEFAULT_CURRENCY)


def prices_in_force(tenant: Tenant, *, at: datetime) -> dict[int, Money]:
    """Return what an hour costs the tenant, by GPU class; classes without a price are missing. One query."""
    in_force = Price.objects.filter(
        Q(tenant__isnull=True) | Q(tenant=tenant), Q(ends_at__isnull=True) | Q(ends_at__gt=at), starts_at__lte=at
    )
    list_first = sorted(in_force, key=lambda price: price.tenant_id is not None)
    return {price.gpu_class_id: price.money for price in list_first}


def price_per_hour(tenant: Tenant, gpu_class: GpuClass, *, at: datetime) -> Money | None:
    """Return what an hour of the class costs the tenant; None where no price is set."""
    return prices_in_force(tenant, at=at).get(gpu_class.pk)
