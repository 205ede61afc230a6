"""Invitations into a tenant that nobody has used yet, for its admins."""

from collections.abc import Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from ninja import Path, Query, Router, Status
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import Input, Output, Page
from tenants import access
from tenants.access import Action
from tenants.access_tokens.scopes import Scope
from tenants.api.members import RoleName
from tenants.invitations.models import Invitation
from tenants.invitations.queries import open_invitations
from tenants.models import Membership
from tenants.team import operations_invitations as operations
from tenants.team.queries import invitation_in

router = Router(tags=["Members"])
READ, WRITE = needs(Scope.MEMBERS_READ), needs(Scope.MEMBERS_WRITE)


class InvitationOut(Output):
    """A mail whose reader may become a member."""

    id: str
    address: str
    role: str
    invited_by: str | None
    created_at: datetime
    expires_at: datetime
    usable: bool = Field(description="False: its time is over, or whoever sent it may no longer invite. It has to be sent again.")


class InvitationIn(Input):
    """Whom to invite, and into which role."""

    address: str = Field(min_length=3, max_length=254, description="An e-mail address.")
    role: RoleName = "member"


@router.get("/invitations", auth=READ, response=Page[InvitationOut], summary="List invitations")
def list_invitations(request: ApiRequest, tenant: Path[str], paging: Query[Paging]) -> dict[str, object]:
    """Return the invitations that wait, newest first."""
    by = _manager(request, tenant)
    rows = by.tenant.invitations.pending().select_related("invited_by")
    return page(rows, paging, by="-created_at", show=_all_shown)


@router.post("/invitations", auth=WRITE, response={201: InvitationOut}, summary="Invite somebody")
def invite(request: ApiRequest, tenant: Path[str], wanted: InvitationIn) -> Status[InvitationOut]:
    """Write to an address that its reader may become a member. The link is in the mail alone."""
    by = _manager(request, tenant)
    try:
        validate_email(wanted.address.strip())
    except ValidationError as error:
        raise invalid("body", "address", error.messages[0]) from error
    return Status(201, _shown(operations.invite(address=wanted.address, role=wanted.role, by=by), usable=True))


@router.post("/invitations/{slug:invitation}/resend", auth=WRITE, response=InvitationOut, summary="Send an invitation again")
def resend_invitation(request: ApiRequest, tenant: Path[str], invitation: Path[str]) -> InvitationOut:
    """Write once more, with a new link and a new time; the link before ends."""
    by = _manager(request, tenant)
    operations.resend(invitation=invitation_in(by, invitation), by=by)
    return _shown(invitation_in(by, invitation), usable=True)


@router.delete("/invitations/{slug:invitation}", auth=WRITE, response={204: None}, summary="Take an invitation back")
def revoke_invitation(request: ApiRequest, tenant: Path[str], invitation: Path[str]) -> Status[None]:
    """End its link."""
    by = _manager(request, tenant)
    operations.revoke(invitation=invitation_in(by, invitation), by=by)
    return Status(204, None)


def _manager(request: ApiRequest, tenant: str) -> Membership:
    by = member(request, tenant)
    access.require(by, Action.MANAGE_MEMBERS)
    return by


def _all_shown(rows: Sequence[Invitation]) -> list[InvitationOut]:
    usable = set(open_invitations().filter(pk__in=[each.pk for each in rows]).values_list("pk", flat=True))
    return [_shown(each, usable=each.pk in usable) for each in rows]


def _shown(invitation: Invitation, *, usable: bool) -> InvitationOut:
    return InvitationOut(
        id=invitation.slug,
        address=invitation.address,
        role=invitation.role,
        invited_by=invitation.invited_by.username if invitation.invited_by else None,
        created_at=invitation.created_at,
        expires_at=invitation.expires_at,
        usable=usable,
    )
