"""What a run, or storage, would cost."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Path, Query, Router
from pydantic import AwareDatetime, Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.openapi import QUESTION
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import CamelInput, CamelOutput
from billing.accounts import calendar_of
from billing.api.shapes import plain
from billing.estimating import Plan, Stretch, estimate
from billing.queries import price_per_hour
from billing.quoting import headroom
from engines.models import GpuClass
from engines.models.run import TAG_LENGTH
from tenants import access
from tenants.access import Action
from tenants.access_tokens.scopes import Scope
from tenants.models import Membership

router = Router(tags=["Costs"])
READ = needs(Scope.COSTS_READ)
LONGEST = 8784
"""Hours: a year that has a 29 February."""
AHEAD = timedelta(days=3660)


class EstimateQuery(CamelInput):
    """What is planned."""

    gpu_class: str = Field("", max_length=100, description="A class's slug; empty: storage alone.")
    hours: Decimal = Field(gt=0, le=LONGEST, description="Whole seconds count.")
    storage_gib: int = Field(0, ge=0, le=1_000_000)
    storage_class: str = Field("", max_length=63)
    project: str = Field("", max_length=TAG_LENGTH, description="What it would be for, as far as budgets are concerned.")
    starts_at: AwareDatetime | None = Field(None, description="Left out: now.")


class StretchOut(CamelOutput):
    """Time of one price; amounts are null where no price is set."""

    category: str = Field(description="gpu or storage.")
    starts_at: datetime
    ends_at: datetime
    seconds: int
    quantity: str = Field(description="GPUs or GiB.")
    price_per_hour: str | None = Field(description="Of one unit.")
    list_price_per_hour: str | None
    amount: str | None
    list_amount: str | None


class HeadroomOut(CamelOutput):
    """The budget that blocks runs and would be used up first, with a run of the token's user from now on."""

    name: str
    hours_left: str = Field(description="For how long it lasts at what runs now and this.")
    has_room: bool = Field(description="Whether a launch would be let through now.")


class EstimateOut(CamelOutput):
    """An estimate, and no offer: prices may be set anew until the time has come."""

    is_estimate: bool = True
    priced_at: datetime = Field(description="By the prices that were set then, those for later included.")
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    currency: str
    stretches: list[StretchOut]
    total_cost: str | None = Field(description="Null where some of it has no price.")
    list_cost: str | None
    budget: HeadroomOut | None = Field(description="Null without a GPU class, and where no budget would ever stop the run.")


@router.get(
    "/estimate", auth=READ, response=EstimateOut, by_alias=True, openapi_extra=QUESTION, summary="Estimate what a run would cost"
)
def get_estimate(request: ApiRequest, tenant: Path[str], wanted: Query[EstimateQuery]) -> EstimateOut:
    """Return the cost by the prices of now, with the changes that are set for later; rounded as charges are."""
    membership = member(request, tenant)
    access.require(membership, Action.SEE)
    now = timezone.now().replace(microsecond=0)
    calendar, plan = calendar_of(membership.tenant), _plan(wanted, now)
    found = estimate(plan, tenant_id=membership.tenant_id, calendar=calendar)
    if len({each.currency for each in found}) > 1:
        raise invalid("query", "hours", _("The account changes its currency meanwhile. Ask for the time before and after."))
    return EstimateOut(
        priced_at=now,
        starts_at=plan.starts_at,
        ends_at=plan.ends_at,
        time_zone=calendar.period_at(now).time_zone,
        currency=calendar.currency_at(plan.starts_at),
        stretches=[_shown(each) for each in found],
        total_cost=_total([each.amount for each in found]),
        list_cost=_total([each.list_amount for each in found]),
        budget=_budget(membership, plan.gpu_class, wanted.project, now),
    )


def _budget(membership: Membership, gpu_class: GpuClass | None, project: str, now: datetime) -> HeadroomOut | None:
    if gpu_class is None:
        return None
    per_hour = price_per_hour(membership.tenant, gpu_class, at=now)
    found = headroom(membership, gpu_class, project, per_hour, now=now)
    return None if found is None else HeadroomOut(name=found.name, hours_left=str(found.hours), has_room=not found.refusal)


def _plan(wanted: EstimateQuery, now: datetime) -> Plan:
    starts_at = now if wanted.starts_at is None else wanted.starts_at.replace(microsecond=0)
    if not now - AHEAD < starts_at < now + AHEAD:
        raise invalid("query", "startsAt", _("This is more than ten years away."))
    if not wanted.gpu_class and not wanted.storage_gib:
        raise invalid("query", "gpuClass", _("Say what is planned: a GPU class, storage, or both."))
    seconds = int(wanted.hours * 3600)
    if not seconds:
        raise invalid("query", "hours", _("This is less than a second."))
    ends_at = starts_at + timedelta(seconds=seconds)
    return Plan(starts_at, ends_at, _gpu_class(wanted.gpu_class), wanted.storage_gib, wanted.storage_class)


def _gpu_class(slug: str) -> GpuClass | None:
    if not slug:
        return None
    found = GpuClass.objects.filter(slug=slug).first()
    if found is None:
        raise invalid("query", "gpuClass", _("There is no such GPU class."))
    return found


def _shown(stretch: Stretch) -> StretchOut:
    return StretchOut(
        category=stretch.kind,
        starts_at=stretch.starts_at,
        ends_at=stretch.ends_at,
        seconds=stretch.seconds,
        quantity=f"{stretch.quantity:f}",
        price_per_hour=_text(stretch.per_hour),
        list_price_per_hour=_text(stretch.list_per_hour),
        amount=_text(stretch.amount),
        list_amount=_text(stretch.list_amount),
    )


def _total(amounts: list[Decimal | None]) -> str | None:
    return None if None in amounts else plain(sum((each for each in amounts if each is not None), Decimal(0)))


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
