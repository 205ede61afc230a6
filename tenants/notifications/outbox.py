"""The outbox: claim, send, write down; one delivery after the other, by workers that do nothing else (the queue `deliveries`).

A worker claims a row in a transaction that is over before anything is sent, and takes it for `LEASE`. If it dies, the row is due
again when the lease is over, and what it may have sent is sent once more: webhooks with the same `webhook-id`, e-mail with the
same Message-ID. Nothing is lost and nothing is silently doubled; exactly once is what the receiver makes of it.
"""

import logging
import random
import time
import uuid
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from tenants.notifications import endpoints
from tenants.notifications.backoff import pause_after
from tenants.notifications.kind import PATIENCE, Channel
from tenants.notifications.mail import send_mail
from tenants.notifications.models import Delivery, Problem, WebhookEndpoint
from tenants.notifications.outcome import Outcome
from tenants.notifications.webhook import send_webhook

log = logging.getLogger(__name__)
LEASE = timedelta(minutes=4)
"""Longer than any attempt takes: see guarded.TOTAL_SECONDS and the settings' EMAIL_TIMEOUT."""
ATTEMPTS = 30
"""More than the pauses allow within the patience: what is tried so often ends whoever tries it."""
QUIET = timedelta(minutes=5)
"""How long a webhook that is away is left alone, at most, unless it asks for more: one attempt finds out, the rest waits."""
ROUND_SECONDS = 60
UNTRIED = frozenset({Problem.TOO_LATE, Problem.DISABLED})
"""What says nothing about the webhook: it was not asked."""
Clock = Callable[[], datetime]


def deliver_due(*, clock: Clock = timezone.now, seconds: float = ROUND_SECONDS) -> bool:
    """Deliver what is due, oldest first, for so many seconds; tell whether nothing is left.

    After the mail server has failed to answer once, the rest of the e-mail waits for the next round.
    """
    end = time.monotonic() + seconds
    resting: set[str] = set()
    while time.monotonic() < end:
        delivery = claim(clock(), without=resting)
        if delivery is None:
            return True
        outcome = _attempted(delivery, now=clock())
        record(delivery, outcome, now=clock())
        if outcome.receiver_ails and delivery.channel == Channel.EMAIL:
            resting.add(Channel.EMAIL)
    return False


@transaction.atomic
def claim(now: datetime, *, without: Collection[str] = ()) -> Delivery | None:
    """Take the oldest delivery that is due and that nobody else is taking; None if there is none."""
    due = Delivery.objects.due(now).exclude(channel__in=without).exclude(pk__in=_crowded(now)).order_by("pk")
    delivery = due.select_for_update(skip_locked=True, of=("self",)).first()
    if delivery is None:
        return None
    delivery.lease = uuid.uuid4()
    delivery.attempts += 1
    delivery.next_at = now + LEASE
    delivery.save(update_fields=["lease", "attempts", "next_at"])
    return delivery


def _crowded(now: datetime) -> QuerySet[Delivery]:
    """Calls to webhooks of tenants of whom one is being called: slow receivers hold up nobody but their own tenant."""
    calls = Delivery.objects.waiting().filter(channel=Channel.WEBHOOK)
    called = calls.filter(lease__isnull=False, next_at__gt=now).values("notification__tenant")
    return calls.filter(lease=None, notification__tenant__in=called)


def _attempted(delivery: Delivery, *, now: datetime) -> Outcome:
    """As attempt; whatever goes wrong in it is an outcome, so that no delivery ends the round of all others again and again."""
    try:
        return attempt(delivery, now=now)
    except Exception as error:
        log.exception("delivery %s failed", delivery.pk)
        return Outcome(Problem.UNREACHABLE, detail=repr(error))


def attempt(delivery: Delivery, *, now: datetime) -> Outcome:
    """Send it, outside any transaction."""
    if delivery.attempts > ATTEMPTS or now >= delivery.give_up_at:
        return Outcome(Problem.TOO_LATE, hopeless=True)
    if delivery.endpoint is not None and not delivery.endpoint.active:  # turned off while this one was being written
        return Outcome(Problem.DISABLED, hopeless=True)
    return send_webhook(delivery, now=now) if delivery.channel == Channel.WEBHOOK else send_mail(delivery)


@transaction.atomic
def record(delivery: Delivery, outcome: Outcome, *, now: datetime) -> None:
    """Write down what became of an attempt. Success always counts; failure only if nobody has taken the delivery over."""
    endpoint = endpoints.locked(delivery.endpoint_id) if delivery.endpoint_id is not None else None
    rows = Delivery.objects.filter(pk=delivery.pk)
    fields = {"lease": None, "tried_at": now, "status": outcome.status, "detail": outcome.detail[:300]}
    if outcome.problem is None:
        rows.update(**fields, state=Delivery.State.SENT, problem="", sent_at=now)
        if endpoint is not None:
            _write(endpoint, failing_since=None, quiet_until=None)
        return
    next_at = now + max(pause_after(delivery.attempts, jitter=random.random()), outcome.pause)  # noqa: S311 - no secret
    hopeless = outcome.hopeless or next_at > delivery.give_up_at
    state = Delivery.State.GIVEN_UP if hopeless else Delivery.State.FAILED
    mine = rows.filter(lease=delivery.lease, state__in=Delivery.WAITING)
    if mine.update(**fields, state=state, problem=outcome.problem, next_at=next_at):
        _say(delivery, outcome, given_up=hopeless)
        if endpoint is not None and outcome.problem not in UNTRIED:
            _ails(endpoint, outcome, next_at=next_at, now=now)


def _say(delivery: Delivery, outcome: Outcome, *, given_up: bool) -> None:
    to = delivery.endpoint.host if delivery.endpoint else delivery.user
    level, word = (logging.WARNING, "given up") if given_up else (logging.INFO, "failed")
    what = f"{delivery.channel} of {delivery.notification_id} to {to}"
    log.log(level, "%s %s at attempt %d: %s %s", what, word, delivery.attempts, outcome.problem, outcome.detail or outcome.status)


def _ails(endpoint: WebhookEndpoint, outcome: Outcome, *, next_at: datetime, now: datetime) -> None:
    """Leave a webhook alone that is away or overloaded; turn off one that is gone, or has failed for days."""
    failing_since = endpoint.failing_since or now
    asked = now + outcome.pause
    quiet_until = max(asked, min(next_at, now + QUIET)) if outcome.receiver_ails else endpoint.quiet_until
    _write(endpoint, failing_since=failing_since, quiet_until=quiet_until)
    if outcome.gone:
        endpoints.turn_off(endpoint, WebhookEndpoint.Disabled.GONE)
    elif now - failing_since >= PATIENCE:
        endpoints.turn_off(endpoint, WebhookEndpoint.Disabled.FAILING)


def _write(endpoint: WebhookEndpoint, *, failing_since: datetime | None, quiet_until: datetime | None) -> None:
    if (endpoint.failing_since, endpoint.quiet_until) != (failing_since, quiet_until):
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failing_since=failing_since, quiet_until=quiet_until)
