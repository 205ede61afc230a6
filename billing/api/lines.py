"""The lines of the books that a question adds up, and why one is what it is."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from django.utils import timezone
from ninja import Path, Query, Router
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.openapi import QUESTION
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.problems import not_found
from aigc_portal.api.schemas import CamelOutput
from billing.allocation import charges
from billing.api.asking import AnswerOut, Question, books_of
from billing.api.shapes import Exactly, plain
from billing.explaining import Explanation, explain, formula
from billing.models import Charge, UsageInterval
from billing.money import units
from billing.queries import visible_to
from engines.models import RunFact, VolumeFact
from tenants.access_tokens.scopes import Scope

router = Router(tags=["Costs"])
READ = needs(Scope.COSTS_READ)
_RELATED = ("period", "owner", "instance", "volume", "gpu_class")


class LinesQuery(Question, Paging):
    """Which lines are wanted."""


class LineOut(CamelOutput):
    """One line of the books. amount = pricePerHour × quantity × seconds ÷ 3600, rounded half to even to nine decimals."""

    id: int = Field(description="Grows with each posting of the account.")
    key: UUID = Field(description="The same for a line, its reversals and its replacements.")
    revision: int
    kind: str = Field(description="original, reversal or replacement.")
    category: str = Field(description="gpu, storage, credit, adjustment or tax.")
    period: str = Field(description="The month that the line is posted in, e.g. 2026-03.")
    is_correction: bool = Field(description="Of a month that was closed before.")
    day: date = Field(description="In the account's time zone.")
    starts_at: datetime
    ends_at: datetime
    user: str | None
    instance: str | None
    volume: str | None
    resource_name: str = Field(description="What the instance or volume was called then.")
    run_id: str
    gpu_class: str | None
    storage_class: str
    tag: str
    seconds: int = Field(description="Negative in a reversal.")
    quantity: str = Field(description="GPUs or GiB.")
    price_per_hour: str | None = Field(description="Of one unit; null for what people entered.")
    list_price_per_hour: str | None
    amount: str
    list_amount: str
    currency: str
    formula: str = Field(description="How the amount follows from the fields above, or why somebody entered it.")
    posted_at: Exactly


class LinesOut(AnswerOut):
    """Part of the lines, by their beginning. Send `asOf` along with `nextCursor`, and all parts are of the same books."""

    items: list[LineOut]
    next_cursor: str | None


class IntervalOut(CamelOutput):
    """Usage as it is known now, which may have changed since the line was posted."""

    kind: str
    run_id: str
    user: str
    quantity: str
    tag: str
    starts_at: datetime
    ends_at: datetime | None = Field(description="Null while it lasts.")


class FactOut(CamelOutput):
    """One thing that was seen of the run or the volume."""

    kind: str
    source: str = Field(description="Who said so: an operator is believed before the cluster, and that before conclusions.")
    at: datetime
    observed_at: datetime


class ExplanationOut(CamelOutput):
    """Why a line is what it is, from the latest word about it down to what was seen."""

    line: LineOut
    history: list[LineOut] = Field(description="Every row of the line, oldest first.")
    intervals: list[IntervalOut]
    facts: list[FactOut] = Field(description="Without those that say only that a run was alive.")
    price_since: datetime | None = Field(description="Since when the price that was applied is in force.")
    price_until: datetime | None = Field(description="Null while it is.")


@router.get("/lines", auth=READ, response=LinesOut, by_alias=True, openapi_extra=QUESTION, summary="List the lines of the books")
def list_lines(request: ApiRequest, tenant: Path[str], wanted: Query[LinesQuery]) -> LinesOut:
    """Return what an allocation of the same window, filter and asOf adds up, reversals included."""
    membership = member(request, tenant)
    with books_of(membership, timezone.now()) as books:
        asked, past = books.asked(wanted), books.past(wanted.as_of)
        rows = charges(books.scope, asked, books.calendar).select_related(*_RELATED)
        rows = rows.filter(posted_at__lte=past) if past is not None else rows
        return LinesOut(**books.about(asked, past), **page(rows, wanted, by="starts_at", show=_lines))


@router.get("/lines/{uuid:key}", auth=READ, response=ExplanationOut, by_alias=True, summary="Explain a line")
def explain_line(request: ApiRequest, tenant: Path[str], key: Path[UUID]) -> ExplanationOut:
    """Return the latest row of the line, all rows there were, and the usage, facts and price behind them."""
    membership = member(request, tenant)
    scope = visible_to(membership)
    row = Charge.objects.filter(scope, line_key=key).select_related(*_RELATED, "price").order_by("-revision", "-pk").first()
    if row is None:
        raise not_found()
    found = explain(row)
    visible = set(UsageInterval.objects.filter(scope, pk__in=[each.pk for each in found.intervals]).values_list("pk", flat=True))
    return ExplanationOut(
        line=_line(row),
        history=_lines(found.history),
        intervals=[_interval(each) for each in found.intervals if each.pk in visible],
        facts=[_fact(each) for each in found.facts if each.tenant_id == membership.tenant_id],
        **_price(found),
    )


def _lines(rows: Sequence[Charge]) -> list[LineOut]:
    return [_line(each) for each in rows]


def _line(row: Charge) -> LineOut:
    return LineOut(
        id=row.pk,
        key=row.line_key,
        revision=row.revision,
        kind=row.kind,
        category=row.category,
        period=row.period.label,
        is_correction=row.is_correction,
        day=row.day,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        user=row.owner.username if row.owner else None,
        instance=row.instance.slug if row.instance else None,
        volume=row.volume.slug if row.volume else None,
        resource_name=row.resource_name,
        run_id=row.run_id,
        gpu_class=row.gpu_class.slug if row.gpu_class else None,
        storage_class=row.storage_class,
        tag=row.tag,
        seconds=row.seconds,
        quantity=f"{row.quantity:f}",
        price_per_hour=None if row.per_hour is None else plain(row.per_hour),
        list_price_per_hour=None if row.list_per_hour is None else plain(row.list_per_hour),
        amount=plain(row.amount),
        list_amount=plain(row.list_amount),
        currency=row.currency,
        formula=formula(row),
        posted_at=row.posted_at,
    )


def _interval(row: UsageInterval) -> IntervalOut:
    return IntervalOut(
        kind=row.kind,
        run_id=row.run_id,
        user=row.owner.username,
        quantity=f"{units(row.quantity_milli):f}",
        tag=row.tag,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
    )


def _fact(row: RunFact | VolumeFact) -> FactOut:
    return FactOut(kind=row.kind, source=row.source, at=row.at, observed_at=row.observed_at)


def _price(found: Explanation) -> dict[str, datetime | None]:
    price = found.charge.price
    return {"price_since": price.starts_at if price else None, "price_until": price.ends_at if price else None}
