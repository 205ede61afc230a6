"""What the token's user is told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from django.utils.translation import gettext as _
from ninja import Path, Query, Router
from pydantic import UUID4, Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import Input, Output, Page
from tenants.access_tokens.scopes import Scope
from tenants.errors import NotAllowed
from tenants.models import User
from tenants.notifications import operations
from tenants.notifications.forms import ChoicesForm
from tenants.notifications.models import NotificationRecipient
from tenants.notifications.queries import mailed_kinds, notification_of

router, mine = Router(tags=["Notifications"]), Router(tags=["Notifications"])
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


class MailKind(Output):
    """Something of which one can be told by e-mail, and can do without."""

    kind: str
    event: str = Field(description="The same type as in webhooks.")
    about: str = Field(description="What it is, in words.")
    wanted: bool


class MailOut(Output):
    """Which e-mail the token's user gets, in every tenant of theirs."""

    language: str | None = Field(description="Null: none was chosen yet.")
    kinds: list[MailKind]


class MailIn(Input):
    """Which e-mail is wanted."""

    kinds: list[Annotated[str, Field(max_length=60)]] = Field(max_length=100, description="Those that are wanted.")
    language: str | None = Field(None, max_length=10, description="Null: as before.")


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
    return ReadOut(count=operations.mark_read(user=membership.user, tenant=membership.tenant, notification=one))


@mine.get("/me/mail", auth=READ, response=MailOut, summary="Read which e-mail I get")
def get_mail(request: ApiRequest) -> MailOut:
    """Return what the token's user can do without, and whether they do; everything else is always written to them."""
    _require_unbound(request)
    return _mail(request.auth.user)


@mine.put("/me/mail", auth=WRITE, response=MailOut, summary="Choose which e-mail I get")
def choose_mail(request: ApiRequest, wanted: MailIn) -> MailOut:
    """Have e-mail sent about these kinds, and about no others that one can do without, in every tenant."""
    _require_unbound(request)
    user = request.auth.user
    form = ChoicesForm({"kinds": wanted.kinds, "language": wanted.language or user.language})
    if not form.is_valid():
        field, errors = next(iter(form.errors.items()))
        raise invalid("body", field, str(errors[0]))
    operations.choose_mail(user=user, wanted=form.cleaned_data["kinds"], language=form.cleaned_data["language"])
    user.refresh_from_db(fields=["language"])
    return _mail(user)


def _require_unbound(request: ApiRequest) -> None:
    """Refuse a token of one tenant what holds in all of its person's."""
    if request.auth.token.tenant_id is not None:
        raise NotAllowed(_("A token of one tenant does not reach what holds in all of them."))


def _mail(user: User) -> MailOut:
    kinds = [
        MailKind(kind=kind.name, event=kind.event, about=str(kind.label), wanted=wanted) for kind, wanted in mailed_kinds(user)
    ]
    return MailOut(language=user.language or None, kinds=kinds)


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
