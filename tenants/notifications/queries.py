"""What pages show of notifications and deliveries."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from tenants.access import Action, require
from tenants.errors import NotVisible
from tenants.models import Membership, Tenant, User
from tenants.notifications.kind import Kind, Words
from tenants.notifications.kinds import KINDS
from tenants.notifications.models import Delivery, EmailOptIn, EmailOptOut, NotificationRecipient, Problem, WebhookEndpoint

NEWEST = 100


@dataclass(frozen=True)
class Entry:
    """One notification as its reader sees it, in the active language."""

    id: str
    kind: Kind
    words: Words
    at: datetime
    unread: bool


def entries_of(membership: Membership) -> list[Entry]:
    """Return the newest notifications of the member in the tenant; one query."""
    told = (
        NotificationRecipient.objects.filter(user=membership.user_id, notification__tenant=membership.tenant_id)
        .select_related("notification")
        .order_by("-notification__created_at", "-pk")[:NEWEST]
    )
    return [
        Entry(
            id=str(each.notification_id),
            kind=each.notification.about,
            words=each.notification.about.words(each.notification.context),
            at=each.notification.created_at,
            unread=each.read_at is None,
        )
        for each in told
    ]


def notification_of(membership: Membership, notification_id: str) -> NotificationRecipient:
    """Return one of the member's own; NotVisible for others' and for what is no id."""
    mine = NotificationRecipient.objects.filter(user=membership.user_id, notification__tenant=membership.tenant_id)
    known = _uuid(notification_id)
    found = mine.filter(notification=known).select_related("notification").first() if known else None
    if found is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    return found


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def unread_count(user: User, tenant: Tenant) -> int:
    """Count what the person has not seen in this tenant."""
    return NotificationRecipient.objects.filter(user=user, notification__tenant=tenant, read_at=None).count()


def mailed_kinds(user: User) -> list[tuple[Kind, bool]]:
    """Return the kinds that one can do without, each with whether the person wants e-mail about it."""
    without = set(EmailOptOut.objects.filter(user=user).values_list("kind", flat=True))
    asked_for = set(EmailOptIn.objects.filter(user=user).values_list("kind", flat=True))
    return [
        (kind, kind.name in asked_for if kind.on_request else kind.name not in without)
        for kind in KINDS.values()
        if kind.optional
    ]


def endpoints_of(membership: Membership) -> list[WebhookEndpoint]:
    """Return the tenant's webhooks. Raises NotAllowed."""
    require(membership, Action.MANAGE_WEBHOOKS)
    return list(WebhookEndpoint.objects.filter(tenant=membership.tenant_id).select_related("created_by"))


def endpoint_in(membership: Membership, slug: str) -> WebhookEndpoint:
    """Return one webhook of the tenant. Raises NotAllowed, NotVisible."""
    require(membership, Action.MANAGE_WEBHOOKS)
    found = WebhookEndpoint.objects.select_related("tenant", "created_by").filter(tenant=membership.tenant_id, slug=slug).first()
    if found is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    return found


@dataclass(frozen=True)
class Line:
    """One line of a webhook's log; `problem` says why its last attempt failed."""

    delivery: Delivery
    event: str
    words: Words
    problem: str
    settled: bool
    again: bool


def delivery_in(endpoint: WebhookEndpoint, delivery_id: int) -> Delivery:
    """Return one delivery of the webhook. Raises NotVisible."""
    found = endpoint.deliveries.filter(pk=delivery_id).first()
    if found is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    return found


def log_of(endpoint: WebhookEndpoint) -> list[Line]:
    """Return the webhook's newest deliveries; one query."""
    deliveries = endpoint.deliveries.select_related("notification").order_by("-pk")[:NEWEST]
    return [
        Line(
            delivery=delivery,
            event=delivery.notification.about.event,
            words=delivery.notification.about.words(delivery.notification.context),
            problem=str(Problem(delivery.problem).label) if delivery.problem else "",
            settled=delivery.state in {Delivery.State.SENT, Delivery.State.GIVEN_UP}
            or bool(delivery.attempts and not delivery.lease),
            again=endpoint.active and delivery.state != Delivery.State.PENDING,
        )
        for delivery in deliveries
    ]
