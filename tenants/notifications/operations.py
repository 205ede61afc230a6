"""Telling people, and what people do with what they are told."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from tenants.models import Tenant, User
from tenants.notifications.hints import deliver_on_commit
from tenants.notifications.kind import Channel
from tenants.notifications.kinds import KINDS
from tenants.notifications.models import (
    Delivery,
    EmailOptIn,
    EmailOptOut,
    Notification,
    NotificationRecipient,
    Problem,
    WebhookEndpoint,
    in_three_days,
)


@transaction.atomic
def notify(
    *,
    tenant: Tenant,
    kind: str,
    recipients: Iterable[User],
    key: str,
    subject: str = "",
    context: Mapping[str, Any] | None = None,
) -> Notification | None:
    """Tell these people, once: a second call with the same tenant, kind and key does nothing and returns None.

    Writes rows in the caller's transaction, and nothing else: what is rolled back was never told. Who is not an active member of
    the tenant is left out. The tenant's webhooks that chose the kind are told even if nobody else is.

    kind      a name in kinds.KINDS, whose `example` shows which keys `context` must have; KeyError, ValueError otherwise
    key       what makes it this one event, at most 200 characters, e.g. "7f3k2qxbcd:run-8:10"
    subject   the public name (slug) of what it is about, which the kind's link needs; NoReverseMatch without
    """
    about, context = KINDS[kind], dict(context or {})
    about.require(context)
    about.link(tenant.slug, subject)
    notification = Notification(tenant=tenant, kind=kind, key=key, subject=subject, context=context)
    Notification.objects.bulk_create([notification], ignore_conflicts=True)
    if not Notification.objects.filter(pk=notification.pk).exists():
        return None
    people = _members(tenant, recipients)
    NotificationRecipient.objects.bulk_create(NotificationRecipient(notification=notification, user=user) for user in people)
    _enqueue(notification, _mailed(kind, people) if Channel.EMAIL in about.channels else [], _listening(tenant, kind))
    return notification


@transaction.atomic
def write_to(  # noqa: PLR0913 - as notify, and in which language
    address: str, *, tenant: Tenant, kind: str, key: str, subject: str = "", context: Mapping[str, Any], language: str = ""
) -> Notification:
    """Tell whoever reads the mail of an address, who need be neither member nor known; and the tenant's webhooks.

    Otherwise as notify; the caller sees to it that a key is new. `language`: of the mail, e.g. "zh-hans"; else the portal's.
    """
    about = KINDS[kind]
    about.require(context)
    about.link(tenant.slug, subject)
    notification = Notification.objects.create(tenant=tenant, kind=kind, key=key, subject=subject, context=dict(context))
    Delivery.objects.create(
        notification=notification,
        channel=Channel.EMAIL,
        address=address,
        language=language,
        give_up_at=notification.created_at + about.mail_patience,
    )
    _enqueue(notification, [], _listening(tenant, kind))
    deliver_on_commit()
    return notification


def withdraw(*, tenant: Tenant, kind: str, subject: str) -> None:
    """Give up what has not left yet of this kind about this subject: it is not true any more."""
    told = Notification.objects.filter(tenant=tenant, kind=kind, subject=subject)
    Delivery.objects.waiting().filter(notification__in=told).update(
        state=Delivery.State.GIVEN_UP, problem=Problem.WITHDRAWN, lease=None
    )


def tell_webhook(endpoint: WebhookEndpoint, *, kind: str, key: str, context: Mapping[str, Any]) -> Notification:
    """Tell one webhook alone, whatever it chose."""
    KINDS[kind].require(context)
    notification = Notification.objects.create(
        tenant=endpoint.tenant, kind=kind, key=key, subject=endpoint.slug, context=dict(context)
    )
    _enqueue(notification, [], [endpoint])
    return notification


def _members(tenant: Tenant, people: Iterable[User]) -> list[User]:
    ids = {user.pk for user in people}
    members = User.objects.filter(memberships__tenant=tenant, memberships__lapsed_at=None)
    return list(members.filter(pk__in=ids, is_active=True).order_by("pk"))


def _mailed(kind: str, people: list[User]) -> list[User]:
    """Those with an address who did not opt out, or of a kind that is sent on request, those who asked for it."""
    if KINDS[kind].on_request:
        asked = set(EmailOptIn.objects.filter(kind=kind, user__in=people).values_list("user_id", flat=True))
        return [user for user in people if user.email and user.pk in asked]
    without: set[int] = set()
    if KINDS[kind].optional:
        without = set(EmailOptOut.objects.filter(kind=kind, user__in=people).values_list("user_id", flat=True))
    return [user for user in people if user.email and user.pk not in without]


def _listening(tenant: Tenant, kind: str) -> list[WebhookEndpoint]:
    if Channel.WEBHOOK not in KINDS[kind].channels:
        return []
    return [each for each in WebhookEndpoint.objects.filter(tenant=tenant, active=True) if not each.kinds or kind in each.kinds]


def _enqueue(notification: Notification, people: Iterable[User], endpoints: Iterable[WebhookEndpoint]) -> None:
    until = notification.created_at + notification.about.mail_patience
    mails = [Delivery(notification=notification, channel=Channel.EMAIL, user=user, give_up_at=until) for user in people]
    calls = [Delivery(notification=notification, channel=Channel.WEBHOOK, endpoint=endpoint) for endpoint in endpoints]
    if mails or calls:
        Delivery.objects.bulk_create([*mails, *calls])
        deliver_on_commit()


@transaction.atomic
def try_again(deliveries: Iterable[Delivery]) -> int:
    """Send once more what was sent, failed or given up, with the patience of something new; return how many.

    What waits for its first attempt is left as it is, and so is what belongs to a webhook that is turned off.
    """
    rows = Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries])
    again = rows.exclude(state=Delivery.State.PENDING).exclude(endpoint__active=False)
    count = Delivery.objects.filter(pk__in=list(again.values_list("pk", flat=True))).update(
        state=Delivery.State.PENDING, attempts=0, next_at=timezone.now(), give_up_at=in_three_days(), lease=None
    )
    if count:
        deliver_on_commit()
    return count


def mark_read(*, user: User, tenant: Tenant, notification: Notification | None = None) -> int:
    """Note that the person has seen this notification, or all of the tenant; return how many were unread."""
    unread = NotificationRecipient.objects.filter(user=user, notification__tenant=tenant, read_at=None)
    if notification is not None:
        unread = unread.filter(notification=notification)
    return unread.update(read_at=timezone.now())


@transaction.atomic
def choose_mail(*, user: User, wanted: Iterable[str], language: str) -> None:
    """Send the person e-mail about these kinds, and no others that one can do without, in this language."""
    User.objects.filter(pk=user.pk).update(language=language)
    kept = set(wanted)
    optional = [kind for kind in KINDS.values() if kind.optional]
    asked_for = [kind.name for kind in optional if kind.on_request and kind.name in kept]
    EmailOptIn.objects.filter(user=user).exclude(kind__in=asked_for).delete()
    EmailOptIn.objects.bulk_create((EmailOptIn(user=user, kind=name) for name in asked_for), ignore_conflicts=True)
    unwanted = [kind.name for kind in optional if not kind.on_request and kind.name not in kept]
    EmailOptOut.objects.filter(user=user).exclude(kind__in=unwanted).delete()
    EmailOptOut.objects.bulk_create((EmailOptOut(user=user, kind=name) for name in unwanted), ignore_conflicts=True)


def forget_older_than(moment: datetime) -> int:
    """Delete notifications that are older, with their deliveries; return how many. What still waits is kept."""
    old = Notification.objects.filter(created_at__lt=moment)
    waiting = Delivery.objects.waiting().values("notification_id")
    return old.exclude(pk__in=waiting).delete()[1].get("tenants.Notification", 0)
