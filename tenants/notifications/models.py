"""Notifications, who reads them, and the outbox: what is to leave the portal, and what became of it."""

import uuid
from datetime import datetime
from typing import Self
from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.translation import gettext_lazy as _

from aigc_portal.sealed_field import SealedField
from tenants.notifications.kind import PATIENCE, Channel, Kind
from tenants.notifications.kinds import KINDS

URL_LENGTH = 500
_SLUG_ALPHABET = "bcdfghjkmnpqrstvwxz23456789"


def new_slug() -> str:
    """Return a random public name for a webhook."""
    return get_random_string(10, _SLUG_ALPHABET)


def in_three_days() -> datetime:
    """Say when to give up on what is written now."""
    return timezone.now() + PATIENCE


class Notification(models.Model):
    """Something that people of a tenant should know; written once for each `key`, which the caller chooses."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="notifications", verbose_name=_("tenant"))
    kind = models.CharField(_("kind"), max_length=40)
    key = models.CharField(_("key"), max_length=200, help_text=_("Nothing is told twice under one key."))
    subject = models.CharField(_("about"), max_length=64, blank=True, help_text=_("The public name of what it is about."))
    context = models.JSONField(_("context"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["tenant", "kind", "key"], name="told_once")]
        indexes = [models.Index(fields=["created_at"], name="notification_age")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    @property
    def about(self) -> Kind:
        """What its kind says."""
        return KINDS[self.kind]


class NotificationRecipient(models.Model):
    """One person whom it concerns; `read_at` once they have seen it in their list."""

    notification = models.ForeignKey(Notification, models.CASCADE, related_name="recipients")
    user = models.ForeignKey("tenants.User", models.CASCADE, related_name="+")
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["notification", "user"], name="told_each_person_once")]
        indexes = [models.Index(fields=["user"], name="unread_notifications", condition=models.Q(read_at=None))]

    def __str__(self) -> str:
        return f"{self.user}: {self.notification}"


class EmailOptOut(models.Model):
    """A person does not want e-mail about a kind, in whichever tenant."""

    user = models.ForeignKey("tenants.User", models.CASCADE, related_name="+")
    kind = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="one_opt_out_per_kind")]

    def __str__(self) -> str:
        return f"{self.user}: {self.kind}"


class EmailOptIn(models.Model):
    """A person wants e-mail about a kind that is sent on request alone, in whichever tenant."""

    user = models.ForeignKey("tenants.User", models.CASCADE, related_name="+")
    kind = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="one_opt_in_per_kind")]

    def __str__(self) -> str:
        return f"{self.user}: {self.kind}"


class WebhookEndpoint(models.Model):
    """An address of a tenant's own that is told what happens; `kinds` empty for everything, also kinds that are still to come."""

    class Disabled(models.TextChoices):
        BY_HAND = "by_hand", _("Somebody turned it off.")
        FAILING = "failing", _("It failed for three days.")
        GONE = "gone", _("It answered that it is gone for good (410).")

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="webhooks", verbose_name=_("tenant"))
    slug = models.CharField(_("slug"), max_length=20, unique=True, default=new_slug, editable=False)
    url = models.CharField(_("address"), max_length=URL_LENGTH)
    kinds = ArrayField(models.CharField(max_length=40), default=list, blank=True, verbose_name=_("kinds"))
    sealed_secret = SealedField()
    sealed_previous = SealedField(blank=True)
    previous_until = models.DateTimeField(_("older secret until"), null=True)
    active = models.BooleanField(_("active"), default=True)
    disabled_reason = models.CharField(_("why it is off"), max_length=10, choices=Disabled.choices, blank=True)
    created_by = models.ForeignKey("tenants.User", models.SET_NULL, null=True, related_name="+", verbose_name=_("added by"))
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    failing_since = models.DateTimeField(_("failing since"), null=True)
    # While it is overloaded or away nothing is sent to it, whatever waits.
    quiet_until = models.DateTimeField(_("left alone until"), null=True)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(active=True, disabled_reason="") | (models.Q(active=False) & ~models.Q(disabled_reason="")),
                name="disabled_for_a_reason",
            )
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def host(self) -> str:
        """What to call it where its whole address is too long, or nobody's business."""
        return urlsplit(self.url).hostname or ""


class Problem(models.TextChoices):
    """Why an attempt failed; `detail` of the delivery has the raw text."""

    STATUS = "status", _("It answered with an error.")
    REDIRECT = "redirect", _("It answered with a redirect, which is not followed.")
    NO_ANSWER = "no_answer", _("It did not answer in time.")
    UNREACHABLE = "unreachable", _("It could not be reached.")
    TLS = "tls", _("No secure connection could be made.")
    NO_HOST = "no_host", _("Its name is not known to DNS.")
    FORBIDDEN = "forbidden", _("Its address is in a network that webhooks may not reach.")
    SECRET = "secret", _("Its signing secret cannot be read. Rotate it.")
    NO_ADDRESS = "no_address", _("The person has no e-mail address, or is no longer a member.")
    MAIL_REFUSED = "mail_refused", _("The mail server refused the address.")
    MAIL_SERVER = "mail_server", _("The mail server did not take it.")
    DISABLED = "disabled", _("The webhook was turned off.")
    WITHDRAWN = "withdrawn", _("It was taken back before it left.")
    TOO_LATE = "too_late", _("It could not be delivered in time.")


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Domain names for common filters."""

    def waiting(self) -> Self:
        """Deliveries that will be tried (again)."""
        return self.filter(state__in=Delivery.WAITING)

    def due(self, now: datetime) -> Self:
        """Those to try now: nobody is at them, and their webhook, if they have one, is not to be left alone."""
        taken = models.Q(endpoint__quiet_until=None) | models.Q(endpoint__quiet_until__lte=now)
        return self.waiting().filter(taken, next_at__lte=now)


class Delivery(models.Model):
    """One notification on its way to one person's mailbox or one webhook: a row of the outbox, and then of its log."""

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed, will be tried again")
        GIVEN_UP = "given_up", _("given up")

    WAITING = (State.PENDING, State.FAILED)

    notification = models.ForeignKey(Notification, models.CASCADE, related_name="deliveries", verbose_name=_("notification"))
    channel = models.CharField(
        _("channel"), max_length=10, choices=[(Channel.EMAIL, _("e-mail")), (Channel.WEBHOOK, _("webhook"))]
    )
    user = models.ForeignKey("tenants.User", models.CASCADE, null=True, related_name="+", verbose_name=_("person"))
    # Of somebody who is no member, or not yet, and the language to write to them in.
    address = models.EmailField(_("address"), blank=True)
    language = models.CharField(max_length=10, blank=True, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, null=True, related_name="deliveries", verbose_name=_("webhook"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    # While somebody is at it: when they are taken for dead.
    next_at = models.DateTimeField(_("next attempt at"), default=timezone.now)
    # Whose attempt it is; only they may write down that it failed.
    lease = models.UUIDField(null=True, editable=False)
    give_up_at = models.DateTimeField(_("tried until"), default=in_three_days)
    status = models.PositiveSmallIntegerField(_("answer"), null=True)
    problem = models.CharField(_("problem"), max_length=20, choices=Problem.choices, blank=True)
    detail = models.CharField(_("detail"), max_length=300, blank=True)
    tried_at = models.DateTimeField(_("last tried at"), null=True)
    sent_at = models.DateTimeField(_("sent at"), null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["notification", "user"], name="one_mail_per_person"),
            models.UniqueConstraint(fields=["notification", "endpoint"], name="one_delivery_per_webhook"),
            models.CheckConstraint(
                condition=models.Q(channel=Channel.EMAIL, user__isnull=False, address="", endpoint=None)
                | (models.Q(channel=Channel.EMAIL, user=None, endpoint=None) & ~models.Q(address=""))
                | models.Q(channel=Channel.WEBHOOK, user=None, address="", endpoint__isnull=False),
                name="delivered_to_somebody",
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], name="deliveries_due", condition=models.Q(state__in=["pending", "failed"])),
        ]

    def __str__(self) -> str:
        return f"{self.notification_id} → {self.receiver}"

    @property
    def receiver(self) -> str:
        """Whom it goes to, in a word."""
        return str(self.endpoint or self.user or self.address)
