"""Budgets: what may be spent, how much of it is, and who may change that."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Path, Query, Router, Status
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page_of
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import CamelInput, CamelOutput
from billing.api.shapes import plain
from billing.budgets import operations
from billing.budgets.operations import GRACE_LIMIT, THRESHOLDS, Wanted
from billing.budgets.queries import BudgetRow, budget_in, budget_rows, visible_budgets, with_alerts
from billing.models import Budget
from billing.models.budgets import NAME_LENGTH
from engines.models import GpuClass
from engines.models.run import TAG_LENGTH
from tenants import access
from tenants.access import Action
from tenants.access_tokens.scopes import Scope
from tenants.errors import NotVisible
from tenants.models import Membership, User

router = Router(tags=["Budgets"])
READ, WRITE = needs(Scope.COSTS_READ), needs(Scope.COSTS_WRITE)
ID_LIMIT = 2**63
Amount = Annotated[Decimal, Field(gt=0, lt=10**9, decimal_places=3)]
Percents = Annotated[list[Annotated[int, Field(ge=1, le=1000)]], Field(min_length=1, max_length=THRESHOLDS)]
Recurrence = Literal["month", "quarter", "day"]
Basis = Literal["actual", "forecast"]
Happens = Literal["notify", "block", "pause"]


class BudgetChange(CamelInput):
    """What to change; what is left out stays. Of person, project and gpuClass at most one is not null or empty."""

    name: str | None = Field(None, min_length=1, max_length=NAME_LENGTH)
    amount: Amount | None = Field(None, description="In the account's present currency.")
    person: str | None = Field(None, max_length=150, description="A member's username; empty for nobody in particular.")
    project: str | None = Field(None, max_length=TAG_LENGTH)
    gpu_class: str | None = Field(None, max_length=100, description="A class's slug; empty for all.")
    recurrence: Recurrence | None = None
    thresholds: Percents | None = Field(None, description="Per cent at which people are told, each once in a period.")
    basis: Basis | None = Field(None, description="What the thresholds are about: what is spent, or what probably will be.")
    action: Happens | None = Field(None, description="What happens when it is used up, beside telling people.")
    grace_minutes: int | None = Field(None, ge=0, le=GRACE_LIMIT, description="Until what runs is paused.")
    active: bool | None = None


class BudgetIn(BudgetChange):
    """A new budget; without person, project and gpuClass it is the whole tenant's."""

    name: str = Field(min_length=1, max_length=NAME_LENGTH)
    amount: Amount = Field(description="In the account's present currency.")


class StandingOut(CamelOutput):
    """The present period. Amounts are null for who may see the budget but not what others cost."""

    starts_at: datetime
    ends_at: datetime
    spent: str | None = Field(description="What runs now included, as estimated.")
    estimated: str | None = Field(description="The part that is not charged yet.")
    likely: str | None = Field(description="What will probably be spent at the end.")
    left: str | None = Field(description="Below zero where more was spent.")
    used_percent: int = Field(description="Rounded down: 100 is used up.")
    likely_percent: int
    hours_left: str | None = Field(description="For how long the rest lasts at what runs now; null if nothing does.")
    told: list[int] = Field(description="The thresholds that were reached.")
    pauses_at: datetime | None = Field(description="When what runs is paused unless there is room, or when it was.")


class BudgetOut(CamelOutput):
    """One budget."""

    id: int
    name: str
    scope: str = Field(description="tenant, person, project or gpu_class.")
    person: str | None
    project: str
    gpu_class: str | None
    currency: str
    amount: str | None
    recurrence: str
    thresholds: list[int]
    basis: str
    action: str
    grace_minutes: int
    active: bool
    standing: StandingOut | None = Field(description="Null if it is not in force, or in a currency of before.")


class BudgetsOut(CamelOutput):
    """Part of the budgets."""

    items: list[BudgetOut]
    next_cursor: str | None


class BudgetsQuery(CamelInput, Paging):
    """Which part of the list is wanted."""


@router.get("/budgets", auth=READ, response=BudgetsOut, by_alias=True, summary="List budgets")
def list_budgets(request: ApiRequest, tenant: Path[str], wanted: Query[BudgetsQuery]) -> dict[str, object]:
    """Return those that concern the token's user, or all for who sees everybody's costs, with what is spent of each."""
    membership = member(request, tenant)
    access.require(membership, Action.SEE)
    rows = sorted(_shown(membership, list(with_alerts(visible_budgets(membership)))), key=lambda row: row.id)
    return page_of(rows, wanted, key=lambda row: f"{row.id:020}")


@router.post("/budgets", auth=WRITE, response={201: BudgetOut}, by_alias=True, summary="Add a budget")
def make_budget(request: ApiRequest, tenant: Path[str], wanted: BudgetIn) -> Status[BudgetOut]:
    """Add one; it is in force at once."""
    by = _manager(request, tenant)
    blank = Wanted(name=wanted.name, amount=wanted.amount)
    made = operations.make_budget(by=by, wanted=_changed(by, blank, wanted))
    return Status(201, _one(by, made.pk))


@router.get("/budgets/{int:budget}", auth=READ, response=BudgetOut, by_alias=True, summary="Read a budget")
def get_budget(request: ApiRequest, tenant: Path[str], budget: Path[int]) -> BudgetOut:
    """Return one with what is spent of it."""
    return _one(member(request, tenant), budget)


@router.patch("/budgets/{int:budget}", auth=WRITE, response=BudgetOut, by_alias=True, summary="Change a budget")
def change_budget(request: ApiRequest, tenant: Path[str], budget: Path[int], wanted: BudgetChange) -> BudgetOut:
    """Change what is given; whoever was told at a threshold is told again only where the amount is another."""
    by = _manager(request, tenant)
    found = _found(by, budget)
    operations.change_budget(by=by, budget=found, wanted=_changed(by, operations.wanted_of(found), wanted))
    return _one(by, found.pk)


@router.delete("/budgets/{int:budget}", auth=WRITE, response={204: None}, summary="Delete a budget")
def delete_budget(request: ApiRequest, tenant: Path[str], budget: Path[int]) -> Status[None]:
    """Remove it; nothing is refused, paused or told because of it any more."""
    by = _manager(request, tenant)
    operations.delete_budget(by=by, budget=_found(by, budget))
    return Status(204, None)


def _manager(request: ApiRequest, tenant: str) -> Membership:
    by = member(request, tenant)
    access.require(by, Action.MANAGE_BUDGETS)
    return by


def _found(membership: Membership, pk: int) -> Budget:
    if pk >= ID_LIMIT:
        raise NotVisible
    return budget_in(membership, pk)


def _one(membership: Membership, pk: int) -> BudgetOut:
    access.require(membership, Action.SEE)
    return _shown(membership, [_found(membership, pk)])[0]


def _changed(by: Membership, before: Wanted, change: BudgetChange) -> Wanted:
    """Put what is given in the place of what was."""
    given = change.model_dump(exclude_none=True)
    if "amount" in given:
        given["currency"] = ""  # the account's present one; an amount that stays keeps its own
    if "person" in given:
        given["person"] = _person(by, given["person"])
    if "gpu_class" in given:
        given["gpu_class"] = _gpu_class(given["gpu_class"])
    if "project" in given:
        given["tag"] = given.pop("project")
    if "thresholds" in given:
        given["thresholds"] = tuple(given["thresholds"])
    return replace(before, **given)


def _person(by: Membership, username: str) -> User | None:
    if not username:
        return None
    found = by.tenant.memberships.select_related("user").filter(user__username=username).first()
    if found is None:
        raise invalid("body", "person", _("There is no such member."))
    return found.user


def _gpu_class(slug: str) -> GpuClass | None:
    if not slug:
        return None
    found = GpuClass.objects.filter(slug=slug).first()
    if found is None:
        raise invalid("body", "gpuClass", _("There is no such GPU class."))
    return found


def _shown(membership: Membership, budgets: Sequence[Budget]) -> list[BudgetOut]:
    return [_budget(row) for row in budget_rows(membership, budgets, now=timezone.now())]


def _budget(row: BudgetRow) -> BudgetOut:
    budget = row.budget
    return BudgetOut(
        id=budget.pk,
        name=budget.name,
        scope=budget.scope,
        person=budget.person.username if budget.person else None,
        project=budget.tag,
        gpu_class=budget.gpu_class.slug if budget.gpu_class else None,
        currency=budget.currency,
        amount=plain(budget.amount) if row.shows_amounts else None,
        recurrence=budget.recurrence,
        thresholds=budget.thresholds,
        basis=budget.basis,
        action=budget.action,
        grace_minutes=budget.grace_minutes,
        active=budget.active,
        standing=_standing(row),
    )


def _standing(row: BudgetRow) -> StandingOut | None:
    found = row.standing
    if found is None:
        return None
    shows, pause = row.shows_amounts, row.pause
    amounts = {"spent": found.spent, "estimated": found.forecast.estimated, "likely": found.forecast.likely, "left": found.left}
    return StandingOut(
        starts_at=found.span.starts_at,
        ends_at=found.span.ends_at,
        **{name: plain(amount.amount) if shows else None for name, amount in amounts.items()},
        used_percent=found.used_percent,
        likely_percent=found.likely_percent,
        hours_left=None if row.hours_left is None else str(row.hours_left),
        told=row.told,
        pauses_at=None if pause is None else pause.paused_at or pause.due_at,
    )
