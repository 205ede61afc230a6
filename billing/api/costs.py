"""Costs: a month in sums, and the lines of the books."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Path, Query, Router
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import Input, Output, Page
from billing.accounts import calendar_of
from billing.api.shapes import MoneyOut, money
from billing.models import Charge
from billing.money import Money
from billing.periods import Month
from billing.queries import scope_of, visible_to
from billing.summaries import CostRow, MonthSummary, OtherRow, month_summary
from tenants.access_tokens.scopes import Scope
from tenants.models import Membership

router = Router(tags=["Costs"])
READ = needs(Scope.COSTS_READ)
MONTH = Field(
    "", pattern=r"^([0-9]{4}-[0-9]{2})?$", description="e.g. 2026-11, in the account's time zone; empty: the present one."
)


class MonthQuery(Input):
    """Which month."""

    month: str = MONTH


class ChargeFilter(Paging):
    """Which charges are wanted."""

    month: str = MONTH
    instance: str = Field("", max_length=20, description="An instance's id, deleted ones too.")


class Sum(Output):
    """What something came to."""

    name: str
    amount: MoneyOut = Field(description="Estimates included.")
    estimated: MoneyOut = Field(description="The part that is not charged yet.")
    seconds: int
    unpriced_seconds: int = Field(description="Used without a price, and in no amount.")


class InstanceSum(Sum):
    """What one owner used of one GPU class in one instance."""

    instance: str
    owner: str
    gpu_class: str


class OtherSum(Output):
    """What is charged for beside GPU time: a volume; or a credit, an adjustment or a tax."""

    category: str
    name: str
    volume: str | None
    owner: str | None
    amount: MoneyOut
    estimated: MoneyOut
    seconds: int


class CostsOut(Output):
    """A month as of a moment: everybody's for who may see that, else one's own."""

    month: str
    time_zone: str = Field(description="Whose days and months these are.")
    as_of: datetime
    own_only: bool
    total: MoneyOut
    estimated: MoneyOut
    unpriced_seconds: int
    instances: list[InstanceSum] = Field(description="Dearest first.")
    users: list[Sum]
    gpu_classes: list[Sum]
    others: list[OtherSum]


class ChargeOut(Output):
    """One line of the books. A reversal takes one back, and a correction belongs to a month that was closed before."""

    id: int
    kind: str = Field(description="original, reversal or replacement.")
    category: str = Field(description="gpu, storage, credit, adjustment or tax.")
    line: str = Field(description="The same for a line, its reversals and its replacements.")
    name: str = Field(description="What the instance or volume was called then.")
    instance: str | None
    volume: str | None
    owner: str | None
    gpu_class: str | None
    starts_at: datetime
    ends_at: datetime
    seconds: int
    price_per_hour: MoneyOut | None
    amount: MoneyOut
    is_correction: bool
    reason: str
    posted_at: datetime


@router.get("/costs", auth=READ, response=CostsOut, summary="Read a month’s costs")
def get_costs(request: ApiRequest, tenant: Path[str], wanted: Query[MonthQuery]) -> CostsOut:
    """Return the month by instance, user and GPU class."""
    membership = member(request, tenant)
    now = timezone.now()
    summary = month_summary(membership, _month(membership, wanted.month, now), now=now)
    return _shown(summary, own_only=scope_of(membership) is not None)


@router.get("/charges", auth=READ, response=Page[ChargeOut], summary="List charges")
def list_charges(request: ApiRequest, tenant: Path[str], wanted: Query[ChargeFilter]) -> dict[str, object]:
    """Return the lines of the books that make up a month, in the order of their beginning."""
    membership = member(request, tenant)
    month = _month(membership, wanted.month, timezone.now())
    span = calendar_of(membership.tenant).period(month)
    charges = Charge.objects.filter(visible_to(membership), starts_at__gte=span.starts_at, starts_at__lt=span.ends_at)
    if wanted.instance:
        charges = charges.filter(instance__slug=wanted.instance)

    def shown(rows: Sequence[Charge]) -> list[ChargeOut]:
        return [_charge(each) for each in rows]

    return page(charges.select_related("instance", "volume", "owner", "gpu_class"), wanted, by="starts_at", show=shown)


def _month(membership: Membership, text: str, now: datetime) -> Month:
    present = calendar_of(membership.tenant).month_of(now)
    try:
        month = Month.parse(text) if text else present
    except ValueError as error:
        raise invalid("query", "month", _("There is no such month.")) from error
    if month > present:
        raise invalid("query", "month", _("This month is still to come."))
    return month


def _shown(summary: MonthSummary, *, own_only: bool) -> CostsOut:
    return CostsOut(
        month=str(summary.month),
        time_zone=summary.time_zone,
        as_of=summary.as_of,
        own_only=own_only,
        total=money(summary.total),
        estimated=money(summary.estimated),
        unpriced_seconds=summary.unpriced_seconds,
        instances=[_instance(row) for row in summary.rows],
        users=_sums(summary.rows, lambda row: row.user),
        gpu_classes=_sums(summary.rows, lambda row: row.gpu_class),
        others=[_other(row) for row in summary.others],
    )


def _instance(row: CostRow) -> InstanceSum:
    return InstanceSum(
        name=row.name,
        instance=row.slug,
        owner=row.user,
        gpu_class=row.gpu_class,
        amount=money(row.amount),
        estimated=money(row.estimated),
        seconds=row.seconds,
        unpriced_seconds=row.unpriced_seconds,
    )


def _other(row: OtherRow) -> OtherSum:
    return OtherSum(
        category=row.category,
        name=row.name,
        volume=row.slug or None,
        owner=row.user or None,
        amount=money(row.amount),
        estimated=money(row.estimated),
        seconds=row.seconds,
    )


def _sums(rows: Iterable[CostRow], by: Callable[[CostRow], str]) -> list[Sum]:
    """Add rows up by a name, dearest first."""
    groups: dict[str, list[CostRow]] = {}
    for row in rows:
        groups.setdefault(by(row), []).append(row)
    ordered = sorted(groups.items(), key=lambda item: (-_total(item[1]).amount, item[0]))
    return [
        Sum(
            name=name,
            amount=money(_total(own)),
            estimated=money(Money.sum((row.estimated for row in own), own[0].amount.currency)),
            seconds=sum(row.seconds for row in own),
            unpriced_seconds=sum(row.unpriced_seconds for row in own),
        )
        for name, own in ordered
    ]


def _total(rows: Sequence[CostRow]) -> Money:
    return Money.sum((row.amount for row in rows), rows[0].amount.currency if rows else settings.DEFAULT_CURRENCY)


def _charge(charge: Charge) -> ChargeOut:
    return ChargeOut(
        id=charge.pk,
        kind=charge.kind,
        category=charge.category,
        line=str(charge.line_key),
        name=charge.resource_name,
        instance=charge.instance.slug if charge.instance else None,
        volume=charge.volume.slug if charge.volume else None,
        owner=charge.owner.username if charge.owner else None,
        gpu_class=charge.gpu_class.slug if charge.gpu_class else None,
        starts_at=charge.starts_at,
        ends_at=charge.ends_at,
        seconds=charge.seconds,
        price_per_hour=None if charge.unit_price is None else money(charge.unit_price),
        amount=money(charge.money),
        is_correction=charge.is_correction,
        reason=charge.reason,
        posted_at=charge.posted_at,
    )
