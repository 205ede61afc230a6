"""What the token's user is told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from ninja import Path, Query, Router
from pydantic import UUID4, Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.schemas import Input, Output, Page
from tenants.access_tokens.scopes import Scope
from tenants.notifications.models import NotificationRecipient
from tenants.notifications.operations import mark_read
from tenants.notifications.queries import notification_of

router = Router(tags=["Notifications"])
READ, WRITE = needs(Scope.NOTIFICATIONS_READ), needs(Scope.NOTIFICATIONS_WRITE)


class NotificationOut(Output):
    """One thing that the token's user was told."""

    id: str
    event: str = Field(description="The same type as in webhooks.")
    subject: str = Field(description="The public name of what it is about.")
    title: str
    sentence: str
    at: datetime
    read: bool


class NotificationFilter(Paging):
    """Which are wanted."""

    show: Literal["all", "unread"] = "all"


class ReadIn(Input):
    """Which was read."""

    id: UUID4 | None = Field(None, description="Null: all of the tenant's.")


class ReadOut(Output):
    """How many were unread until now."""

    count: int


@router.get("/notifications", auth=READ, response=Page[NotificationOut], summary="List notifications")
def list_notifications(request: ApiRequest, tenant: Path[str], wanted: Query[NotificationFilter]) -> dict[str, object]:
    """Return what the token's user was told in the tenant, newest first."""
    membership = member(request, tenant)
    told = NotificationRecipient.objects.filter(user=membership.user_id, notification__tenant=membership.tenant_id)
    if wanted.show == "unread":
        told = told.filter(read_at=None)
    return page(told.select_related("notification"), wanted, by="-notification__created_at", show=_shown)


@router.post("/notifications/read", auth=WRITE, response=ReadOut, summary="Mark notifications as read")
def read_notifications(request: ApiRequest, tenant: Path[str], wanted: ReadIn) -> ReadOut:
    """Note that one was read, or all."""
    membership = member(request, tenant)
    one = None if wanted.id is None else notification_of(membership, str(wanted.id)).notification
    return ReadOut(count=mark_read(user=membership.user, tenant=membership.tenant, notification=one))


def _shown(rows: Sequence[NotificationRecipient]) -> list[NotificationOut]:
    shown = []
    for each in rows:
        told = each.notification
        words = told.about.words(told.context)
        shown.append(
            NotificationOut(
                id=str(told.pk),
                event=told.about.event,
                subject=told.subject,
                title=words.title,
                sentence=words.sentence,
                at=told.created_at,
                read=each.read_at is not None,
            )
        )
    return shown
