"""Who else may enter an instance."""

from datetime import datetime

from django.utils.translation import gettext as _
from ninja import Path, Query, Router, Status
from pydantic import AwareDatetime, Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import Input, Output, Page, Person
from engines.api.instances import require_operate
from engines.api.shapes import person
from engines.models import Share
from engines.operations import sharing as operations
from engines.queries.instances import InstanceRow, instance_in
from engines.queries.sharing import lasting_shares, others_who_may
from tenants.access import Action
from tenants.access_tokens.scopes import Scope
from tenants.errors import NotVisible
from tenants.models import Membership

router = Router(tags=["Sharing"])
READ, WRITE = needs(Scope.INSTANCES_READ), needs(Scope.INSTANCES_WRITE)


class ShareOut(Output):
    """Leave to enter an instance."""

    id: int
    member: Person | None = Field(description="Null: everybody in the tenant who may use engines.")
    until: datetime | None = Field(description="Null: until somebody ends it.")
    shared_by: str
    created_at: datetime


class EndIn(Input):
    """Until when a share lasts."""

    until: AwareDatetime | None = Field(None, description="Null: until somebody ends it.")


class ShareIn(EndIn):
    """With whom, and until when."""

    member: str | None = Field(None, max_length=150, description="A username; null: everybody in the tenant.")


@router.get("", auth=READ, response=Page[ShareOut], summary="List shares")
def list_shares(request: ApiRequest, tenant: Path[str], instance: Path[str], paging: Query[Paging]) -> dict[str, object]:
    """Return the shares that let somebody in now, for who may operate the instance."""
    _membership, row = _operable(request, tenant, instance)
    return page(lasting_shares(row.instance), paging, by="id", show=lambda found: [_shown(each) for each in found])


@router.post("", auth=WRITE, response={201: ShareOut}, summary="Share")
def share_instance(request: ApiRequest, tenant: Path[str], instance: Path[str], wanted: ShareIn) -> Status[ShareOut]:
    """Let a member in, or everybody; where it is shared with them already, its end changes."""
    membership, row = _operable(request, tenant, instance)
    guest = None
    if wanted.member is not None:
        guest = others_who_may(Action.VISIT, row.instance).filter(username=wanted.member).first()
        if guest is None:
            raise invalid("body", "member", _("There is no such member whose role allows to use engines."))
    share = operations.share_instance(instance=row.instance, by=membership, member=guest, until=wanted.until)
    return Status(201, _shown(_share(row, share.pk)))


@router.patch("/{int:share}", auth=WRITE, response=ShareOut, summary="Change when a share ends")
def extend_share(request: ApiRequest, tenant: Path[str], instance: Path[str], share: Path[int], wanted: EndIn) -> ShareOut:
    """Let it end at another moment, later or sooner."""
    membership, row = _operable(request, tenant, instance)
    operations.extend_share(share=_share(row, share), by=membership, until=wanted.until)
    return _shown(_share(row, share))


@router.delete("/{int:share}", auth=WRITE, response={204: None}, summary="End a share")
def end_share(request: ApiRequest, tenant: Path[str], instance: Path[str], share: Path[int]) -> Status[None]:
    """Let nobody in by it any more. Whoever has the engine open may have to be cut off by restarting it."""
    membership, row = _operable(request, tenant, instance)
    operations.end_share(share=_share(row, share), by=membership)
    return Status(204, None)


def _operable(request: ApiRequest, tenant: str, slug: str) -> tuple[Membership, InstanceRow]:
    membership = member(request, tenant)
    row = instance_in(membership, slug)
    require_operate(membership, row)
    return membership, row


def _share(row: InstanceRow, pk: int) -> Share:
    found = lasting_shares(row.instance).filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise NotVisible
    return found


def _shown(share: Share) -> ShareOut:
    return ShareOut(
        id=share.pk,
        member=person(share.member) if share.member else None,
        until=share.until,
        shared_by=share.shared_by.username,
        created_at=share.created_at,
    )
