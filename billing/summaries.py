"""A tenant's month: per instance and per user; storage, credits and taxes; and one instance's month, line by line.

What was charged comes from the sums by day, so that a month takes as long whatever is in the books. A month is the account's own:
that in which things were used, whenever it was posted.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import DurationField, ExpressionWrapper, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce, Greatest, Least
from django.utils.translation import gettext as _

from billing.accounts import calendar_of
from billing.accrual import Accrued, accrued
from billing.calendars import Calendar, PeriodSpan
from billing.models import Charge, DayRollup, UsageInterval
from billing.models.usage import UsageQuerySet
from billing.money import Money
from billing.periods import Month
from billing.queries import amount_of_cells, scope_of, snapshot, visible_to
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


@dataclass(slots=True)
class OtherRow:
    """What is charged for beside GPU time: one owner's volume; or a credit, an adjustment or a tax, with its reason."""

    category: Charge.Category
    name: str
    charged: Money
    estimated: Money
    slug: str = ""
    user: str = ""
    seconds: int = 0

    @property
    def amount(self) -> Money:
        return self.charged + self.estimated


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
    others: list[OtherRow] = field(default_factory=list)
    time_zone: str = "UTC"

    @property
    def gpu_total(self) -> Money:
        """What the rows come to."""
        return Money.sum((row.amount for row in self.rows), self.total.currency)

    @property
    def gpu_estimated(self) -> Money:
        """The part of it that is not charged yet."""
        return Money.sum((row.estimated for row in self.rows), self.total.currency)

    @property
    def others_total(self) -> Money:
        """What storage and what was entered come to."""
        return self.total - self.gpu_total

    @property
    def others_estimated(self) -> Money:
        """The part of it that is not charged yet."""
        return self.estimated - self.gpu_estimated


@dataclass(frozen=True, slots=True)
class InstanceMonth:
    """One instance's month, line by line."""

    instance: Instance
    summary: MonthSummary
    charges: list[Charge]
    accruing: list[Cell]  # not charged yet


@dataclass(frozen=True, slots=True)
class _Frame:
    """The month that is asked for."""

    calendar: Calendar
    span: PeriodSpan
    now: datetime

    @property
    def zero(self) -> Money:
        return Money.zero(self.span.currency)

    def days(self, visible: Q) -> QuerySet[DayRollup]:
        month = self.span.month
        return DayRollup.objects.filter(visible, day__gte=month.first_day, day__lte=month.last_day).order_by()

    def usage(self, visible: Q) -> UsageQuerySet:
        reaches_in = Q(ends_at__isnull=True) | Q(ends_at__gt=self.span.starts_at)
        return UsageInterval.objects.billed().filter(visible, reaches_in, starts_at__lt=self.span.ends_at)

    def accrued(self, visible: Q, tenant_id: int) -> list[Accrued]:
        bounds = {"since": self.span.starts_at, "until": self.span.ends_at}
        return accrued(self.usage(visible), now=self.now, calendars={tenant_id: self.calendar}, **bounds)


Rows = dict[tuple[UUID, int, int], CostRow]
Others = dict[tuple[UUID, int], OtherRow]
_GROUP = ("instance_id", "owner_id", "gpu_class_id")
_NAMES = ("instance__slug", "instance__name", "owner__username", "gpu_class__name")


def month_summary(membership: Membership, month: Month, *, now: datetime) -> MonthSummary:
    """Return the month's costs that the member may see. Seven queries at most, however many rows."""
    visible = visible_to(membership)
    with snapshot():
        frame = _frame(membership, month, now)
        lasting = frame.accrued(visible, membership.tenant_id)
        rows = _gpu_rows(frame, visible, lasting)
        others = _storage_rows(frame, visible, lasting)
        others += [] if scope_of(membership) else _entered_rows(frame, membership)
    return _summary(frame, rows, others)


def instance_month(membership: Membership, slug: str, month: Month, *, now: datetime) -> InstanceMonth:
    """Return one instance's month as far as the member may see it; NotVisible if nothing of it ever was the member's."""
    visible = visible_to(membership)
    with snapshot():
        instance = Instance.objects.filter(tenant=membership.tenant_id, slug=slug).first()
        if instance is None or not _concerns(instance, membership):
            raise NotVisible(_("There is nothing here, or it is not yours."))
        visible &= Q(instance=instance)
        frame = _frame(membership, month, now)
        lasting = frame.accrued(visible, membership.tenant_id)
        summary = _summary(frame, _gpu_rows(frame, visible, lasting), [])
        of_month = Charge.objects.filter(visible, starts_at__gte=frame.span.starts_at, starts_at__lt=frame.span.ends_at)
        charges = list(of_month.select_related("owner", "gpu_class").order_by("starts_at", "pk"))
    return InstanceMonth(instance, summary, charges, [cell for running in lasting for cell in running.cells])


def _frame(membership: Membership, month: Month, now: datetime) -> _Frame:
    calendar = calendar_of(membership.tenant)
    return _Frame(calendar, calendar.period(month), now)


def _concerns(instance: Instance, membership: Membership) -> bool:
    owner_id = scope_of(membership)
    if owner_id is None or instance.owner_id == owner_id:
        return True
    return UsageInterval.objects.gpu().filter(instance=instance, owner=owner_id).exists()


def _summary(frame: _Frame, rows: Rows, others: list[OtherRow]) -> MonthSummary:
    dearest_first = sorted(rows.values(), key=lambda row: (-row.amount.amount, row.name, row.user, row.slug))
    everything: list[CostRow | OtherRow] = [*dearest_first, *others]
    return MonthSummary(
        month=frame.span.month,
        as_of=frame.now,
        rows=dearest_first,
        users=_by_user(dearest_first, frame.span.currency),
        total=Money.sum((row.amount for row in everything), frame.span.currency),
        estimated=Money.sum((row.estimated for row in everything), frame.span.currency),
        unpriced_seconds=sum(row.unpriced_seconds for row in dearest_first),
        others=others,
        time_zone=frame.span.time_zone,
    )


def _gpu_rows(frame: _Frame, visible: Q, lasting: Iterable[Accrued]) -> Rows:
    rows: Rows = {}
    _add_charged(rows, frame, visible)
    _add_unpriced(rows, frame, visible)
    for running in lasting:
        if running.interval.gpu_class is not None:
            _add_estimated(rows, running)
    return rows


def _row(rows: Rows, found: dict[str, Any], zero: Money) -> CostRow:
    key = (found["instance_id"], found["owner_id"], found["gpu_class_id"])
    if key not in rows:
        rows[key] = CostRow(
            slug=found["instance__slug"],
            name=found["instance__name"],
            user=found["owner__username"],
            gpu_class=found["gpu_class__name"],
            charged=zero,
            estimated=zero,
        )
    return rows[key]


def _add_charged(rows: Rows, frame: _Frame, visible: Q) -> None:
    """Add what is in the books, price by price; a price that was taken back altogether leaves no trace."""
    by_price = frame.days(visible).filter(category=Charge.Category.GPU).values(*_GROUP, *_NAMES, "price__per_hour", "currency")
    for found in by_price.annotate(net_seconds=Sum("seconds"), net_amount=Sum("amount")).exclude(net_seconds=0):
        row = _row(rows, found, frame.zero)
        row.charged += Money(found["net_amount"], found["currency"])
        row.charged_seconds += found["net_seconds"]
        row.prices.add(Money(found["price__per_hour"], found["currency"]))


def _add_unpriced(rows: Rows, frame: _Frame, visible: Q) -> None:
    """Find time that ought to be charged and is not: it had no price."""
    since = Greatest("starts_at", Value(frame.span.starts_at))
    settled = Least(Coalesce("ends_at", "instance__meter__settled_to"), Value(frame.span.ends_at))
    length = ExpressionWrapper(Greatest(settled, since) - since, output_field=DurationField())
    for found in frame.usage(visible).gpu().order_by().values(*_GROUP, *_NAMES).annotate(length=Sum(length)):
        row = _row(rows, found, frame.zero)
        row.unpriced_seconds = found["length"] // timedelta(seconds=1) - row.charged_seconds


def _add_estimated(rows: Rows, running: Accrued) -> None:
    interval = running.interval
    row = rows[running.subject_id, interval.owner_id, interval.gpu_class_id or 0]
    row.estimated += amount_of_cells(running.cells, row.estimated.currency)
    for cell in running.cells:
        if cell.unit_price is None:
            row.unpriced_seconds += cell.seconds
        else:
            row.estimated_seconds += cell.seconds
            row.prices.add(cell.unit_price)


def _storage_rows(frame: _Frame, visible: Q, lasting: Iterable[Accrued]) -> list[OtherRow]:
    rows: Others = {}
    stored = frame.days(visible).filter(category=Charge.Category.STORAGE)
    by_volume = stored.values("volume_id", "owner_id", "volume__slug", "volume__name", "owner__username", "currency")
    for found in by_volume.annotate(net_seconds=Sum("seconds"), net_amount=Sum("amount")).exclude(net_seconds=0):
        rows[found["volume_id"], found["owner_id"]] = OtherRow(
            category=Charge.Category.STORAGE,
            name=found["volume__name"],
            charged=Money(found["net_amount"], found["currency"]),
            estimated=frame.zero,
            slug=found["volume__slug"],
            user=found["owner__username"],
            seconds=found["net_seconds"],
        )
    for running in lasting:
        _add_stored(rows, running, frame.zero)
    return sorted(rows.values(), key=lambda row: (-row.amount.amount, row.name, row.user))


def _add_stored(rows: Others, running: Accrued, zero: Money) -> None:
    volume, owner = running.interval.volume, running.interval.owner
    priced = [cell for cell in running.cells if cell.price is not None]
    if volume is None or not priced:
        return
    fresh = OtherRow(Charge.Category.STORAGE, volume.name, zero, zero, slug=volume.slug, user=owner.username)
    row = rows.setdefault((volume.pk, owner.pk), fresh)
    row.estimated += amount_of_cells(priced, zero.currency)
    row.seconds += sum(cell.seconds for cell in priced)


def _entered_rows(frame: _Frame, membership: Membership) -> list[OtherRow]:
    """Return what people entered for the month, in its order."""
    month = frame.span.month
    entered = Charge.objects.filter(tenant=membership.tenant_id, instance=None, volume=None)
    entered = entered.filter(starts_at__gte=frame.span.starts_at, starts_at__lt=frame.span.ends_at)
    return [
        OtherRow(Charge.Category(row.category), row.reason, row.money, frame.zero)
        for row in entered.filter(day__gte=month.first_day, day__lte=month.last_day).order_by("pk")
    ]


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
