"""What costs were made by whom and by what, in sums."""

from decimal import Decimal
from typing import Any, Literal
from urllib.parse import quote

from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Path, Query, Router
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.openapi import QUESTION
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import CamelOutput
from billing.allocation import Allocation, Part, Portion, allocate
from billing.api.asking import DIMENSIONS, AnswerOut, Question, WindowOut, books_of
from billing.api.shapes import plain
from billing.calendars import Calendar
from tenants.access_tokens.scopes import Scope

router = Router(tags=["Costs"])
READ = needs(Scope.COSTS_READ)
UNALLOCATED = "__unallocated__"


class AllocationQuery(Question):
    """Which costs, and how divided."""

    aggregate: str = Field("all", max_length=200, description=f"Dimensions joined by commas, or all. There are: {DIMENSIONS}.")
    step: str = Field("", max_length=3, description="Divide the window into 1d, 1w or 1mo, too; empty: no.")
    include: Literal["", "live"] = Field("", description="live: tell beside the books what lasts and is not charged yet.")


class AllocationOut(CamelOutput):
    """What costs with the same dimensions came to in one step. Net, unless the name says list; every amount a decimal number."""

    name: str = Field(
        description=f"The properties' values joined by “/”, escaped as in addresses; {UNALLOCATED} where one is none."
    )
    properties: dict[str, str] = Field(description="Dimension to value; empty where there is none.")
    window: WindowOut
    gpu_hours: str = Field(description="Of whole GPUs; twelve decimals.")
    gpu_cost: str
    gpu_list_cost: str
    storage_gib_hours: str
    storage_cost: str
    storage_list_cost: str
    credit_cost: str
    adjustment_cost: str
    tax_cost: str
    total_cost: str = Field(description="What stands in the books: the sum of the costs above.")
    list_cost: str = Field(description="The same at list prices.")
    estimated_cost: str | None = Field(
        description="What lasts and is not charged yet, in no other field; null: was not asked for."
    )
    estimated_list_cost: str | None


class TotalOut(CamelOutput):
    """All of the answer in one."""

    total_cost: str
    list_cost: str
    estimated_cost: str | None
    estimated_list_cost: str | None


class AllocationsOut(AnswerOut):
    """Costs divided as asked: `data` has one object for each step, in order, with an entry for each name, dearest first."""

    windows: list[WindowOut] = Field(description="That of each element of `data`.")
    data: list[dict[str, AllocationOut]]
    total: TotalOut


@router.get(
    "/allocation",
    auth=READ,
    response=AllocationsOut,
    by_alias=True,
    openapi_extra=QUESTION,
    summary="Divide costs by user, GPU class, day and more",
)
def get_allocation(request: ApiRequest, tenant: Path[str], wanted: Query[AllocationQuery]) -> AllocationsOut:
    """Return sums of charges: everybody's for who may see that, else one's own. A question that is not understood is 400."""
    membership, now = member(request, tenant), timezone.now()
    with books_of(membership, now) as books:
        asked, live = books.asked(wanted, aggregate=wanted.aggregate, step=wanted.step), wanted.include == "live"
        if live and wanted.as_of is not None:
            raise invalid("query", "include", _("An estimate is of now: leave out include or asOf."))
        past = books.past(wanted.as_of)
        parts = allocate(books.scope, asked, books.calendar, as_of=past, live_at=now if live else None)
        about = books.about(asked, past)
    found = [each for part in parts for each in part.allocations]
    if found:
        about["currency"] = found[0].currency
    return AllocationsOut(
        **about,
        windows=[_window(part, books.calendar) for part in parts],
        data=[_shown(part, asked.by, books.calendar, live=live) for part in parts],
        total=TotalOut(**_totals(found, live=live)),
    )


def _shown(part: Part, by: tuple[str, ...], calendar: Calendar, *, live: bool) -> dict[str, AllocationOut]:
    window = _window(part, calendar)
    found = [_allocation(each, by, window, live=live) for each in part.allocations]
    return {each.name: each for each in found}


def _window(part: Part, calendar: Calendar) -> WindowOut:
    start, end = part.window.moments(calendar)
    return WindowOut(start=start, end=end)


def _name(key: tuple[str, ...]) -> str:
    """Name what no other key is named: a value with a slash, or one that looks like none, is escaped."""
    values = (quote(value, safe=" ") if value != UNALLOCATED else f"%5F{value[1:]}" for value in key)
    return "/".join(value or UNALLOCATED for value in values) or "all"


def _allocation(found: Allocation, by: tuple[str, ...], window: WindowOut, *, live: bool) -> AllocationOut:
    gpu, storage = found.of("gpu"), found.of("storage")
    return AllocationOut(
        name=_name(found.key),
        properties=dict(zip(by, found.key, strict=True)),
        window=window,
        gpu_hours=_hours(gpu),
        gpu_cost=plain(gpu.amount),
        gpu_list_cost=plain(gpu.list_amount),
        storage_gib_hours=_hours(storage),
        storage_cost=plain(storage.amount),
        storage_list_cost=plain(storage.list_amount),
        credit_cost=plain(found.of("credit").amount),
        adjustment_cost=plain(found.of("adjustment").amount),
        tax_cost=plain(found.of("tax").amount),
        **_totals([found], live=live),
    )


def _totals(found: list[Allocation], *, live: bool) -> dict[str, Any]:
    estimated = sum((each.estimated for each in found), Decimal(0))
    list_estimated = sum((each.list_estimated for each in found), Decimal(0))
    return {
        "total_cost": plain(sum((each.amount for each in found), Decimal(0))),
        "list_cost": plain(sum((each.list_amount for each in found), Decimal(0))),
        "estimated_cost": plain(estimated) if live else None,
        "estimated_list_cost": plain(list_estimated) if live else None,
    }


def _hours(portion: Portion) -> str:
    return f"{portion.unit_hours:f}"
