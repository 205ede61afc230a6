"""Limits and their use, those that a team sets itself, and requests for more. Amounts are numbers as text: GPUs have decimals."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from django.utils.translation import gettext as _
from ninja import Path, Query, Router, Status
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page, page_of
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import Input, Output, Page
from engines.models import GpuClass
from engines.queries.limits import all_uses, requests_of
from engines.quotas import Use, standing_of
from tenants import access
from tenants.access import Action
from tenants.access_tokens.scopes import Scope as TokenScope
from tenants.errors import NotVisible
from tenants.models import Membership
from tenants.quotas import requests as operations
from tenants.quotas.measures import Measure, Scope, to_amount, to_number
from tenants.quotas.models import REASON_LENGTH, Quota, QuotaRequest
from tenants.quotas.operations import remove_quota, set_quota

router = Router(tags=["Limits"])
READ, WRITE = needs(TokenScope.QUOTAS_READ), needs(TokenScope.QUOTAS_WRITE)
MeasureName = Literal["running", "gpus", "instances", "storage"]
Number = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=3)]
ID_LIMIT = 2**63


class LimitOut(Output):
    """A limit that holds for the token's user, and how much of it is used."""

    id: str
    measure: str = Field(description="running, gpus, instances, or storage (GiB).")
    gpu_class: str | None = Field(description="Null: all classes together.")
    whole_tenant: bool = Field(description="Not of the user alone.")
    by_operator: bool = Field(description="Only operators can raise it.")
    used: str
    limit: str


class QuotaOut(Output):
    """A limit that the tenant has set itself."""

    id: int
    measure: str
    gpu_class: str | None
    role: str | None = Field(description="For each person who has the role.")
    username: str | None = Field(description="For this person.")
    limit: str | None = Field(description="Null: none, in place of that of the role.")
    set_at: datetime


class QuotaIn(Input):
    """A limit for the whole tenant, or for each person of a role, or for one person."""

    measure: MeasureName
    gpu_class: str | None = Field(None, max_length=40)
    role: Literal["owner", "admin", "member", "finance", "viewer"] | None = None
    username: str | None = Field(None, max_length=150)
    limit: Number


class RequestOut(Output):
    """Somebody's request for more."""

    id: int
    asker: str
    whole_tenant: bool
    measure: str
    gpu_class: str | None
    wanted: str
    granted: str | None
    reason: str
    state: str
    created_at: datetime


class RequestIn(Input):
    """How much more is wanted, of what, and for what."""

    measure: MeasureName
    gpu_class: str | None = Field(None, max_length=40)
    whole_tenant: bool = Field(default=False, description="For everybody, not for oneself.")
    wanted: Number
    reason: str = Field(min_length=1, max_length=REASON_LENGTH)


class ApprovalIn(Input):
    """How much is granted."""

    granted: Number
    word: str = Field("", max_length=REASON_LENGTH)


class RefusalIn(Input):
    """Why not."""

    word: str = Field(min_length=1, max_length=REASON_LENGTH)


@router.get("/limits", auth=READ, response=Page[LimitOut], summary="List limits and their use")
def list_limits(request: ApiRequest, tenant: Path[str], paging: Query[Paging]) -> dict[str, object]:
    """Return every limit that holds for the token's user: their own, the tenant's, and the operators'."""
    membership = member(request, tenant)
    access.require(membership, Action.SEE_TEAM)
    uses = all_uses(standing_of(membership.tenant, membership.user))
    return page_of([_use(each) for each in uses], paging, key=lambda row: row.id)


@router.get("/quotas", auth=READ, response=Page[QuotaOut], summary="List the limits that the tenant has set")
def list_quotas(request: ApiRequest, tenant: Path[str], paging: Query[Paging]) -> dict[str, object]:
    """Return what the tenant has set for itself, its roles and its people."""
    membership = member(request, tenant)
    access.require(membership, Action.SEE_TEAM)
    rows = membership.tenant.quotas.filter(author=Quota.Author.TENANT).select_related("user", "gpu_class")
    return page(rows, paging, by="id", show=lambda found: [_quota(each) for each in found])


@router.put("/quotas", auth=WRITE, response=QuotaOut, summary="Set a limit")
def set_limit(request: ApiRequest, tenant: Path[str], wanted: QuotaIn) -> QuotaOut:
    """Set one, or change it; never above what operators let the tenant have."""
    by = _manager(request, tenant)
    if wanted.role is not None and wanted.username is not None:
        raise invalid("body", "role", _("Name a role or a person, not both."))
    user_id = None
    if wanted.username is not None:
        found = by.tenant.memberships.filter(user__username=wanted.username).first()
        if found is None:
            raise invalid("body", "username", _("There is no such member."))
        user_id = found.user_id
    scope = _scope(wanted.measure, wanted.gpu_class, role=wanted.role or "", user_id=user_id)
    quota = set_quota(by=by, scope=scope, limit=_amount(wanted.measure, wanted.limit, "limit"))
    return _quota(Quota.objects.select_related("user", "gpu_class").get(pk=quota.pk))


@router.delete("/quotas/{int:quota}", auth=WRITE, response={204: None}, summary="Remove a limit")
def remove_limit(request: ApiRequest, tenant: Path[str], quota: Path[int]) -> Status[None]:
    """Take away one that the tenant has set."""
    by = _manager(request, tenant)
    own = Quota.objects.filter(tenant=by.tenant, author=Quota.Author.TENANT)
    found = own.filter(pk=quota).first() if quota < ID_LIMIT else None
    if found is None:
        raise NotVisible
    remove_quota(by=by, quota=found)
    return Status(204, None)


@router.get("/quota-requests", auth=READ, response=Page[RequestOut], summary="List requests for more")
def list_quota_requests(request: ApiRequest, tenant: Path[str], paging: Query[Paging]) -> dict[str, object]:
    """Return one's own requests, and everybody's for who decides, newest first."""
    membership = member(request, tenant)
    access.require(membership, Action.SEE_TEAM)
    return page(requests_of(membership), paging, by="-created_at", show=_requests)


@router.post("/quota-requests", auth=WRITE, response={201: RequestOut}, summary="Ask for more")
def ask_for_more(request: ApiRequest, tenant: Path[str], wanted: RequestIn) -> Status[RequestOut]:
    """Ask the tenant's admins, or operators where it is their limit."""
    by = member(request, tenant)
    access.require(by, Action.LAUNCH)
    scope = _scope(wanted.measure, wanted.gpu_class, user_id=None if wanted.whole_tenant else by.user_id)
    amount = _amount(wanted.measure, wanted.wanted, "wanted")
    made = operations.ask_for_more(by=by, scope=scope, wanted=amount, reason=wanted.reason)
    return Status(201, _request(_found(by, made.pk)))


@router.post("/quota-requests/{int:asked}/withdraw", auth=WRITE, response=RequestOut, summary="Withdraw a request")
def withdraw_request(request: ApiRequest, tenant: Path[str], asked: Path[int]) -> RequestOut:
    """Take one's own request back."""
    by = member(request, tenant)
    operations.withdraw_request(by=by, request=_found(by, asked))
    return _request(_found(by, asked))


@router.post("/quota-requests/{int:asked}/approve", auth=WRITE, response=RequestOut, summary="Approve a request")
def approve_request(request: ApiRequest, tenant: Path[str], asked: Path[int], wanted: ApprovalIn) -> RequestOut:
    """Raise the limit to so much; refused where only operators can."""
    by = _manager(request, tenant)
    found = _found(by, asked)
    amount = _amount(found.measure, wanted.granted, "granted")
    operations.approve_request(by=by, request=found, amount=amount, word=wanted.word)
    return _request(_found(by, asked))


@router.post("/quota-requests/{int:asked}/refuse", auth=WRITE, response=RequestOut, summary="Refuse a request")
def refuse_request(request: ApiRequest, tenant: Path[str], asked: Path[int], wanted: RefusalIn) -> RequestOut:
    """Say no, and why."""
    by = _manager(request, tenant)
    operations.refuse_request(by=by, request=_found(by, asked), word=wanted.word)
    return _request(_found(by, asked))


def _manager(request: ApiRequest, tenant: str) -> Membership:
    by = member(request, tenant)
    access.require(by, Action.MANAGE_LIMITS)
    return by


def _found(by: Membership, pk: int) -> QuotaRequest:
    found = requests_of(by).filter(pk=pk).first() if pk < ID_LIMIT else None
    if found is None:
        raise NotVisible
    return found


def _scope(measure: str, slug: str | None, *, role: str = "", user_id: int | None = None) -> Scope:
    gpu_class = None if slug is None else GpuClass.objects.filter(slug=slug, hidden=False).first()
    if slug is not None and gpu_class is None:
        raise invalid("body", "gpu_class", _("There is no such GPU class on offer."))
    if gpu_class is not None and measure == Measure.STORAGE:
        raise invalid("body", "gpu_class", _("Storage has no GPU class."))
    return Scope(measure, gpu_class.pk if gpu_class else None, role, user_id)


def _amount(measure: str, number: Decimal, field: str) -> int:
    if measure != Measure.GPUS and number != number.to_integral_value():
        raise invalid("body", field, _("Only GPUs have decimals."))
    return to_amount(measure, number)


def _number(measure: str, amount: int | None) -> str | None:
    return None if amount is None else str(to_number(measure, amount))


def _use(use: Use) -> LimitOut:
    limit = use.limit
    gpu_class = limit.gpu_class.slug if limit.gpu_class else None
    whom = "tenant" if limit.owner_id is None else "user"
    who = "operator" if limit.by_operator else "team"
    return LimitOut(
        id=".".join([limit.measure, gpu_class or "all", whom, who]),
        measure=limit.measure,
        gpu_class=gpu_class,
        whole_tenant=limit.owner_id is None,
        by_operator=limit.by_operator,
        used=str(to_number(limit.measure, use.used)),
        limit=str(to_number(limit.measure, limit.limit)),
    )


def _quota(quota: Quota) -> QuotaOut:
    return QuotaOut(
        id=quota.pk,
        measure=quota.measure,
        gpu_class=quota.gpu_class.slug if quota.gpu_class else None,
        role=quota.role or None,
        username=quota.user.username if quota.user else None,
        limit=_number(quota.measure, quota.limit),
        set_at=quota.set_at,
    )


def _requests(rows: Sequence[QuotaRequest]) -> list[RequestOut]:
    return [_request(each) for each in rows]


def _request(asked: QuotaRequest) -> RequestOut:
    return RequestOut(
        id=asked.pk,
        asker=asked.asker.username,
        whole_tenant=asked.whole_tenant,
        measure=asked.measure,
        gpu_class=asked.gpu_class.slug if asked.gpu_class else None,
        wanted=str(to_number(asked.measure, asked.wanted)),
        granted=_number(asked.measure, asked.granted),
        reason=asked.reason,
        state=asked.state,
        created_at=asked.created_at,
    )
