"""Who is in a tenant, and in which role."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from ninja import Path, Query, Router, Status
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.schemas import Input, Output, Page
from tenants import access
from tenants.access import Action
from tenants.access_tokens.scopes import Scope
from tenants.models import Membership
from tenants.team import operations
from tenants.team.queries import member_in

router = Router(tags=["Members"])
READ, WRITE = needs(Scope.MEMBERS_READ), needs(Scope.MEMBERS_WRITE)
RoleName = Literal["owner", "admin", "member", "finance", "viewer"]
ID_LIMIT = 2**63


class MemberOut(Output):
    """Somebody's part in the tenant."""

    id: int
    username: str
    name: str
    role: str
    is_service: bool = Field(description="No person: a service token acts as it.")
    active: bool
    member_since: datetime


class RoleIn(Input):
    """Which role to give."""

    role: RoleName


@router.get("/members", auth=READ, response=Page[MemberOut], summary="List members")
def list_members(request: ApiRequest, tenant: Path[str], paging: Query[Paging]) -> dict[str, object]:
    """Return who is in the tenant, by username."""
    membership = member(request, tenant)
    access.require(membership, Action.SEE_TEAM)
    rows = membership.tenant.memberships.select_related("user")
    return page(rows, paging, by="user__username", show=_all_shown)


@router.patch("/members/{int:member}", auth=WRITE, response=MemberOut, summary="Change a member’s role")
def change_role(request: ApiRequest, tenant: Path[str], member: Path[int], wanted: RoleIn) -> MemberOut:
    """Give somebody another role; an owner's is the owners' alone to give and take."""
    by, found = _managed(request, tenant, member)
    operations.change_role(member=found, by=by, role=wanted.role)
    return _shown(member_in(by, found.pk))


@router.delete("/members/{int:member}", auth=WRITE, response={204: None}, summary="Remove a member")
def remove_member(request: ApiRequest, tenant: Path[str], member: Path[int]) -> Status[None]:
    """End somebody's membership, and with it their tokens and what was shared with them; what is theirs stays."""
    by, found = _managed(request, tenant, member)
    operations.remove_member(member=found, by=by)
    return Status(204, None)


@router.post("/leave", auth=WRITE, response={204: None}, summary="Leave the tenant")
def leave_tenant(request: ApiRequest, tenant: Path[str]) -> Status[None]:
    """End one's own membership."""
    operations.leave(member=member(request, tenant))
    return Status(204, None)


def _managed(request: ApiRequest, tenant: str, pk: int) -> tuple[Membership, Membership]:
    by = member(request, tenant)
    access.require(by, Action.MANAGE_MEMBERS)
    return by, member_in(by, min(pk, ID_LIMIT - 1))


def _all_shown(rows: Sequence[Membership]) -> list[MemberOut]:
    return [_shown(each) for each in rows]


def _shown(membership: Membership) -> MemberOut:
    user = membership.user
    return MemberOut(
        id=membership.pk,
        username=user.username,
        name=user.get_full_name(),
        role=membership.role,
        is_service=user.is_service,
        active=user.is_active,
        member_since=membership.created_at,
    )
