"""The months of the account: what is open, what is closed and sealed, and what each comes to."""

from collections.abc import Sequence
from datetime import datetime

from ninja import Path, Query, Router
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.openapi import QUESTION
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.schemas import CamelInput, CamelOutput
from billing.api.shapes import plain
from billing.models import BillingPeriod
from billing.queries import scope_of, snapshot, visible_to
from billing.sums import Total, by_period
from tenants.access_tokens.scopes import Scope

router = Router(tags=["Costs"])
READ = needs(Scope.COSTS_READ)


class PeriodsQuery(CamelInput, Paging):
    """Which part of the list is wanted."""


class PeriodOut(CamelOutput):
    """One month as it is invoiced: all that is posted in it, corrections of months before included."""

    period: str = Field(description="e.g. 2026-03.")
    invoice: str
    status: str = Field(description="open or closed; what is closed never changes.")
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    currency: str
    total_cost: str = Field(description="One's own alone, for who may not see others'.")
    list_cost: str
    closed_at: datetime | None
    digest: str | None = Field(description="SHA-256 over the period's lines and the digest of the one before, once it is closed.")
    line_count: int


class PeriodsOut(CamelOutput):
    """Part of the months, newest first."""

    own_only: bool
    items: list[PeriodOut]
    next_cursor: str | None


@router.get("/periods", auth=READ, response=PeriodsOut, by_alias=True, openapi_extra=QUESTION, summary="List billing periods")
def list_periods(request: ApiRequest, tenant: Path[str], wanted: Query[PeriodsQuery]) -> PeriodsOut:
    """Return the months that stand in the books."""
    membership = member(request, tenant)
    scope, own_only = visible_to(membership), scope_of(membership) is not None

    def shown(rows: Sequence[BillingPeriod]) -> list[PeriodOut]:
        totals = by_period(scope, [each.pk for each in rows])
        return [_period(each, totals.get((each.pk, each.currency))) for each in rows]

    with snapshot():
        rows = BillingPeriod.objects.filter(tenant=membership.tenant_id).select_related("tenant")
        return PeriodsOut(own_only=own_only, **page(rows, wanted, by="-starts_at", show=shown))


def _period(row: BillingPeriod, total: Total | None) -> PeriodOut:
    return PeriodOut(
        period=row.label,
        invoice=row.invoice_number,
        status=row.status,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        time_zone=row.time_zone,
        currency=row.currency,
        total_cost=plain(total.amount if total else row.money.zero(row.currency).amount),
        list_cost=plain(total.list_amount if total else row.money.zero(row.currency).amount),
        closed_at=row.closed_at,
        digest=row.digest or None,
        line_count=total.charge_count if total else 0,
    )
