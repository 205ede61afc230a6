"""One webhook: what it says, signed, and what the answer means."""

import ipaddress
import json
import ssl
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone, translation

from aigc_portal.sealing import Unreadable, unseal
from tenants.notifications.backoff import asked_pause
from tenants.notifications.guarded import Answer, Forbidden, Malformed, Network, TooSlow, UnknownHost, post
from tenants.notifications.models import Delivery, Notification, Problem, WebhookEndpoint
from tenants.notifications.outcome import Outcome
from tenants.notifications.signing import signature_headers

GONE = 410
# Answers of those who can take nothing at all now.
OVERLOADED = frozenset({429, 502, 503, 504})


# What may go wrong before there is an answer, most specific first: ssl.SSLError is an OSError.
_PROBLEMS: tuple[tuple[type[Exception], Problem], ...] = (
    (Malformed, Problem.FORBIDDEN),
    (Forbidden, Problem.FORBIDDEN),
    (UnknownHost, Problem.NO_HOST),
    (TooSlow, Problem.NO_ANSWER),
    (ssl.SSLError, Problem.TLS),
    (OSError, Problem.UNREACHABLE),
)


def send_webhook(delivery: Delivery, *, now: datetime) -> Outcome:
    """POST one event to one webhook."""
    endpoint, notification = delivery.endpoint, delivery.notification
    assert endpoint is not None  # noqa: S101 - for the type checker; a constraint refuses such a row
    body = body_of(notification)
    try:
        signing = secrets_of(endpoint, now=now)
    except Unreadable as error:
        return Outcome(Problem.SECRET, detail=str(error))
    signatures = signature_headers(body, event_id=event_id(notification), at_epoch=int(now.timestamp()), signing=signing)
    headers = {"Content-Type": "application/json", "User-Agent": "aigc-portal-webhooks"} | signatures
    try:
        answer = post(endpoint.url, body, headers, allowed=allowed_networks())
    except tuple(cause for cause, _problem in _PROBLEMS) as error:
        problem = next(problem for cause, problem in _PROBLEMS if isinstance(error, cause))
        return Outcome(problem, detail=str(error), receiver_ails=True)
    return meaning(answer, now=now)


def meaning(answer: Answer, *, now: datetime) -> Outcome:
    """Say what an answer's status means: only 2xx is delivered."""
    status = answer.status
    if 200 <= status < 300:
        return Outcome(status=status)
    if 300 <= status < 400:
        return Outcome(Problem.REDIRECT, status)
    return Outcome(
        Problem.STATUS,
        status,
        pause=asked_pause(answer.retry_after, now=now),
        receiver_ails=status in OVERLOADED,
        hopeless=status == GONE,
        gone=status == GONE,
    )


def event_id(notification: Notification) -> str:
    """Name the event for receivers, who may get it more than once."""
    return f"msg_{notification.pk.hex}"


def body_of(notification: Notification) -> bytes:
    """Write the event as JSON, the same at every attempt."""
    kind, tenant = notification.about, notification.tenant
    with translation.override("en"), timezone.override(None):
        words = kind.words(notification.context)
    people = notification.recipients.order_by("user__username").values_list("user__username", flat=True)
    event: dict[str, Any] = {
        "type": kind.event,
        "timestamp": notification.created_at.isoformat().replace("+00:00", "Z"),
        "tenant": tenant.slug,
        "data": {
            "title": words.title,
            "text": words.sentence,
            "url": settings.PORTAL_ORIGIN + kind.link(tenant.slug, notification.subject),
            "subject": notification.subject,
            "people": list(people),
            "context": notification.context,
        },
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def secrets_of(endpoint: WebhookEndpoint, *, now: datetime) -> list[str]:
    """Return the secrets that sign now: the present one, and for a while after a rotation the one before. Raises Unreadable."""
    sealed = [endpoint.sealed_secret]
    if endpoint.previous_until is not None and now < endpoint.previous_until:
        sealed.append(endpoint.sealed_previous)
    return [unseal(each) for each in sealed]


def allowed_networks() -> Sequence[Network]:
    """Return the networks that webhooks may reach although they are not public: the operator's choice."""
    return [ipaddress.ip_network(text) for text in settings.WEBHOOK_NETWORKS]
