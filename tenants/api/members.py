"""Who is in a tenant."""

from collections.abc import Sequence
from datetime import datetime

from ninja import Path, Query, Router
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.schemas import Output, Page
from tenants import access
from tenants.access import Action
from tenants.access_tokens.scopes import Scope
from tenants.models import Membership

router = Router(tags=["Members"])
READ = needs(Scope.MEMBERS_READ)


class MemberOut(Output):
    """Somebody's part in the tenant."""

    username: str
    name: str
    role: str
    is_service: bool = Field(description="No person: a service token acts as it.")
    active: bool
    member_since: datetime


@router.get("/members", auth=READ, response=Page[MemberOut], summary="List members")
def list_members(request: ApiRequest, tenant: Path[str], paging: Query[Paging]) -> dict[str, object]:
    """Return who is in the tenant, by username."""
    membership = member(request, tenant)
    access.require(membership, Action.SEE_TEAM)
    rows = membership.tenant.memberships.select_related("user")
    return page(rows, paging, by="user__username", show=_shown)


def _shown(rows: Sequence[Membership]) -> list[MemberOut]:
    return [
        MemberOut(
            username=each.user.username,
            name=each.user.get_full_name(),
            role=each.role,
            is_service=each.user.is_service,
            active=each.user.is_active,
            member_since=each.created_at,
        )
        for each in rows
    ]
