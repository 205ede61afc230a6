"""What admins do with their tenant's webhooks, and what the portal does with those that do not answer."""

import uuid
from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from aigc_portal.sealing import seal, unseal
from tenants.access import Action, people_who_may, require
from tenants.audit.operations import Subject, record
from tenants.errors import PortalError, QuotaExceeded
from tenants.models import Membership, Tenant
from tenants.notifications.models import Delivery, Notification, Problem, WebhookEndpoint
from tenants.notifications.operations import notify, tell_webhook, try_again
from tenants.notifications.signing import new_secret

LIMIT = 20
"""Webhooks of a tenant, at most."""
BOTH_SIGN = timedelta(hours=24)
"""How long after a rotation the secret before still signs too."""

WHY_OFF = {
    WebhookEndpoint.Disabled.FAILING: gettext_noop("It has failed for three days."),
    WebhookEndpoint.Disabled.GONE: gettext_noop("It answered that it is gone for good (410)."),
}


class TurnedOff(PortalError):
    """A webhook that is off is sent nothing."""


@transaction.atomic
def add_endpoint(*, by: Membership, url: str, kinds: Iterable[str]) -> WebhookEndpoint:
    """Add a webhook with a secret of its own. Raises NotAllowed, QuotaExceeded."""
    require(by, Action.MANAGE_WEBHOOKS)
    tenant = Tenant.objects.select_for_update(no_key=True).get(pk=by.tenant_id)
    if WebhookEndpoint.objects.filter(tenant=tenant).count() >= LIMIT:
        raise QuotaExceeded(_("A tenant can have %(limit)d webhooks. Delete one first.") % {"limit": LIMIT})
    endpoint = WebhookEndpoint.objects.create(
        tenant=tenant, url=url, kinds=sorted(kinds), sealed_secret=seal(new_secret()), created_by=by.user
    )
    _audit("webhook.added", endpoint, by, kinds=endpoint.kinds)
    return endpoint


@transaction.atomic
def change_endpoint(*, endpoint: WebhookEndpoint, by: Membership, url: str, kinds: Iterable[str]) -> None:
    """Change where it is, or what it is told. What waits goes to the new address."""
    require(by, Action.MANAGE_WEBHOOKS)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(url=url, kinds=sorted(kinds), failing_since=None, quiet_until=None)
    was, endpoint.url = endpoint.host, url
    _audit("webhook.changed", endpoint, by, host={"from": was, "to": endpoint.host}, kinds=sorted(kinds))


@transaction.atomic
def rotate_secret(*, endpoint: WebhookEndpoint, by: Membership) -> None:
    """Give it a new secret; for a day the one before signs too, so that the receiver can change over in between."""
    require(by, Action.MANAGE_WEBHOOKS)
    fresh = locked(endpoint.pk) or endpoint
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        sealed_secret=seal(new_secret()), sealed_previous=fresh.sealed_secret, previous_until=timezone.now() + BOTH_SIGN
    )
    _audit("webhook.rotated", endpoint, by)


def secret_of(endpoint: WebhookEndpoint) -> str:
    """Return the present secret in the clear, to be shown once; Unreadable if no key opens it."""
    return unseal(endpoint.sealed_secret)


@transaction.atomic
def disable_endpoint(*, endpoint: WebhookEndpoint, by: Membership) -> None:
    """Send it nothing until somebody turns it on; what waits is given up."""
    require(by, Action.MANAGE_WEBHOOKS)
    turn_off(locked(endpoint.pk) or endpoint, WebhookEndpoint.Disabled.BY_HAND)
    _audit("webhook.disabled", endpoint, by)


@transaction.atomic
def enable_endpoint(*, endpoint: WebhookEndpoint, by: Membership) -> None:
    """Send it what happens from now on."""
    require(by, Action.MANAGE_WEBHOOKS)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(active=True, disabled_reason="", failing_since=None, quiet_until=None)
    _audit("webhook.enabled", endpoint, by)


@transaction.atomic
def delete_endpoint(*, endpoint: WebhookEndpoint, by: Membership) -> None:
    """Remove it with the log of its deliveries."""
    require(by, Action.MANAGE_WEBHOOKS)
    locked(endpoint.pk)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).delete()
    _audit("webhook.deleted", endpoint, by)


@transaction.atomic
def send_test(*, endpoint: WebhookEndpoint, by: Membership) -> Notification:
    """Send it an event in which nothing has happened, whatever it chose. Raises TurnedOff."""
    require(by, Action.MANAGE_WEBHOOKS)
    _require_on(endpoint)
    return tell_webhook(endpoint, kind="test", key=str(uuid.uuid4()), context={"by": by.user.get_username()})


def redeliver(*, delivery: Delivery, by: Membership) -> None:
    """Send one event once more, under its old id. Raises TurnedOff."""
    require(by, Action.MANAGE_WEBHOOKS)
    assert delivery.endpoint is not None  # noqa: S101 - for the type checker; callers have it from a webhook's log
    _require_on(delivery.endpoint)
    try_again([delivery])


def locked(endpoint_id: int) -> WebhookEndpoint | None:
    """Lock a webhook's row, before any of its deliveries', until the transaction ends; None if it is gone."""
    return WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint_id).first()


def turn_off(endpoint: WebhookEndpoint, reason: WebhookEndpoint.Disabled) -> None:
    """Send it nothing more, give up what waits, and tell the tenant's admins unless one of them did it.

    The caller holds the webhook's lock; does nothing if it is off already.
    """
    on = WebhookEndpoint.objects.filter(pk=endpoint.pk, active=True)
    if not on.update(active=False, disabled_reason=reason):
        return
    Delivery.objects.waiting().filter(endpoint=endpoint).update(
        state=Delivery.State.GIVEN_UP, problem=Problem.DISABLED, lease=None
    )
    if reason in WHY_OFF:
        admins = people_who_may(Action.MANAGE_WEBHOOKS, tenant_id=endpoint.tenant_id)
        notify(
            tenant=endpoint.tenant,
            kind="webhook_disabled",
            recipients=admins,
            key=f"{endpoint.slug}:{timezone.now().isoformat()}",
            subject=endpoint.slug,
            context={"host": endpoint.host, "why": WHY_OFF[reason]},
        )


def _audit(kind: str, endpoint: WebhookEndpoint, by: Membership, **details: object) -> None:
    """By its host: the rest of an address often holds a secret."""
    subject = Subject("webhook", endpoint.slug, endpoint.host)
    record(kind, actor=by.user, tenant=by.tenant, subject=subject, details=details)


def _require_on(endpoint: WebhookEndpoint) -> None:
    if not endpoint.active:
        raise TurnedOff(_("This webhook is off. Turn it on first."))
