"""A tenant's month: per instance and per user; and one instance's month, line by line."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import DurationField, ExpressionWrapper, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce, Greatest, Least
from django.utils.translation import gettext as _

from billing.accrual import accrued
from billing.models import Charge, UsageInterval
from billing.money import Money
from billing.periods import Month
from billing.queries import amount_of_cells, scope_of, snapshot
from billing.rating import Cell
from engines.models import Instance
from tenants.errors import NotVisible
from tenants.models import Membership


@dataclass(slots=True)
class CostRow:
    """What one owner used of one GPU class in one instance during the month."""

    slug: str
    name: str
    user: str
    gpu_class: str
    charged: Money
    estimated: Money
    charged_seconds: int = 0
    estimated_seconds: int = 0
    unpriced_seconds: int = 0
    prices: set[Money] = field(default_factory=set)

    @property
    def sorted_prices(self) -> list[Money]:
        """Every price that applied, cheapest first."""
        return sorted(self.prices)

    @property
    def amount(self) -> Money:
        return self.charged + self.estimated

    @property
    def seconds(self) -> int:
        """Everything used, with and without a price."""
        return self.charged_seconds + self.estimated_seconds + self.unpriced_seconds


@dataclass(frozen=True, slots=True)
class UserRow:
    """What one person used during the month."""

    user: str
    seconds: int
    unpriced_seconds: int
    amount: Money
    estimated: Money


@dataclass(frozen=True, slots=True)
class MonthSummary:
    """A month's costs as of a moment."""

    month: Month
    as_of: datetime
    rows: list[CostRow]  # dearest first
    users: list[UserRow]
    total: Money
    estimated: Money
    unpriced_seconds: int


@dataclass(frozen=True, slots=True)
class InstanceMonth:
    """One instance's month, line by line."""

    instance: Instance
    summary: MonthSummary
    charges: list[Charge]
    accruing: list[Cell]  # not charged yet


Rows = dict[tuple[UUID, int, int], CostRow]
_GROUP = ("instance_id", "owner_id", "gpu_class_id")
_NAMES = ("instance__slug", "instance__name", "owner__username", "gpu_class__name")


def month_summary(membership: Membership, month: Month, *, now: datetime) -> MonthSummary:
    """Return the month's costs that the member may see. Four queries, however many rows."""
    visible = _visible_to(membership)
    with snapshot():
        return _summarise(_charges(visible, month), _usage(visible, month), month, now)


def instance_month(membership: Membership, slug: str, month: Month, *, now: datetime) -> InstanceMonth:
    """Return one instance's month as far as the member may see it; NotVisible if nothing of it ever was the member's."""
    visible = _visible_to(membership)
    with snapshot():
        instance = Instance.objects.filter(tenant=membership.tenant_id, slug=slug).first()
        if instance is None or not _concerns(instance, membership):
            raise NotVisible(_("There is nothing here, or it is not yours."))
        visible &= Q(instance=instance)
        charges, usage = _charges(visible, month), _usage(visible, month)
        summary = _summarise(charges, usage, month, now)
        lines = list(charges.select_related("owner", "gpu_class").order_by("starts_at", "pk"))
        lasting = accrued(usage, now=now, since=month.starts_at, until=month.ends_at)
    return InstanceMonth(instance, summary, lines, [cell for running in lasting for cell in running.cells])


def _visible_to(membership: Membership) -> Q:
    owner_id = scope_of(membership)
    return Q(tenant=membership.tenant_id) if owner_id is None else Q(tenant=membership.tenant_id, owner=owner_id)


def _concerns(instance: Instance, membership: Membership) -> bool:
    owner_id = scope_of(membership)
    if owner_id is None or instance.owner_id == owner_id:
        return True
    return UsageInterval.objects.filter(instance=instance, owner=owner_id).exists()


def _charges(visible: Q, month: Month) -> QuerySet[Charge]:
    return Charge.objects.filter(visible, starts_at__gte=month.starts_at, starts_at__lt=month.ends_at)


def _usage(visible: Q, month: Month) -> QuerySet[UsageInterval]:
    reaches_in = Q(ends_at__isnull=True) | Q(ends_at__gt=month.starts_at)
    return UsageInterval.objects.filter(visible, reaches_in, starts_at__lt=month.ends_at)


def _summarise(charges: QuerySet[Charge], usage: QuerySet[UsageInterval], month: Month, now: datetime) -> MonthSummary:
    rows: Rows = {}
    _add_charged(rows, charges)
    _add_unpriced(rows, usage, month)
    _add_estimated(rows, usage, month, now)
    dearest_first = sorted(rows.values(), key=lambda row: (-row.amount.amount, row.name, row.user, row.slug))
    currency = dearest_first[0].amount.currency if dearest_first else settings.DEFAULT_CURRENCY
    return MonthSummary(
        month=month,
        as_of=now,
        rows=dearest_first,
        users=_by_user(dearest_first, currency),
        total=Money.sum((row.amount for row in dearest_first), currency),
        estimated=Money.sum((row.estimated for row in dearest_first), currency),
        unpriced_seconds=sum(row.unpriced_seconds for row in dearest_first),
    )


def _row(rows: Rows, found: dict[str, Any], currency: str) -> CostRow:
    key = (found["instance_id"], found["owner_id"], found["gpu_class_id"])
    if key not in rows:
        rows[key] = CostRow(
            slug=found["instance__slug"],
            name=found["instance__name"],
            user=found["owner__username"],
            gpu_class=found["gpu_class__name"],
            charged=Money.zero(currency),
            estimated=Money.zero(currency),
        )
    return rows[key]


def _add_charged(rows: Rows, charges: QuerySet[Charge]) -> None:
    """Add what is in the books, price by price; a price that was taken back altogether leaves no trace."""
    by_price = charges.order_by().values(*_GROUP, *_NAMES, "per_hour", "currency")
    for found in by_price.annotate(net_seconds=Sum("seconds"), net_amount=Sum("amount")).exclude(net_seconds=0):
        row = _row(rows, found, found["currency"])
        row.charged += Money(found["net_amount"], found["currency"])
        row.charged_seconds += found["net_seconds"]
        row.prices.add(Money(found["per_hour"], found["currency"]))


def _add_unpriced(rows: Rows, usage: QuerySet[UsageInterval], month: Month) -> None:
    """Find time that ought to be charged and is not: it had no price."""
    since = Greatest("starts_at", Value(month.starts_at))
    settled = Least(Coalesce("ends_at", "instance__meter__settled_to"), Value(month.ends_at))
    length = ExpressionWrapper(Greatest(settled, since) - since, output_field=DurationField())
    for found in usage.order_by().values(*_GROUP, *_NAMES).annotate(length=Sum(length)):
        row = _row(rows, found, settings.DEFAULT_CURRENCY)
        row.unpriced_seconds = found["length"] // timedelta(seconds=1) - row.charged_seconds


def _add_estimated(rows: Rows, usage: QuerySet[UsageInterval], month: Month, now: datetime) -> None:
    for running in accrued(usage, now=now, since=month.starts_at, until=month.ends_at):
        interval = running.interval
        row = rows[interval.instance_id, interval.owner_id, interval.gpu_class_id]
        row.estimated += amount_of_cells(running.cells)
        for cell in running.cells:
            if cell.unit_price is None:
                row.unpriced_seconds += cell.seconds
            else:
                row.estimated_seconds += cell.seconds
                row.prices.add(cell.unit_price)


def _by_user(rows: Iterable[CostRow], currency: str) -> list[UserRow]:
    of_user: dict[str, list[CostRow]] = defaultdict(list)
    for row in rows:
        of_user[row.user].append(row)
    users = [
        UserRow(
            user=user,
            seconds=sum(row.seconds for row in own),
            unpriced_seconds=sum(row.unpriced_seconds for row in own),
            amount=Money.sum((row.amount for row in own), currency),
            estimated=Money.sum((row.estimated for row in own), currency),
        )
        for user, own in of_user.items()
    ]
    return sorted(users, key=lambda row: (-row.amount.amount, row.user))
