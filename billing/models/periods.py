"""The months of an account, and their closing."""

from datetime import date

from django.contrib.postgres.constraints import ExclusionConstraint
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.models.ranges import OVERLAPS, PERIOD, same_number
from billing.money import PLACES, Money
from billing.periods import Month


class BillingPeriod(models.Model):
    """One month [starts_at, ends_at) of one account; charges are posted into it until it is closed, and then never again.

    Made when first needed and not worked out anew, so that a later edition of the time zones does not move it. Database
    triggers refuse charges for a closed period, and changes to it. `digest` and sums are there once it is closed.
    """

    class Status(models.TextChoices):
        OPEN = "open", _("open")
        CLOSED = "closed", _("closed")

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="periods", verbose_name=_("tenant"))
    month = models.DateField(_("month"), help_text=_("Its first day."))
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    time_zone = models.CharField(_("time zone"), max_length=64)
    currency = models.CharField(_("currency"), max_length=3)
    status = models.CharField(_("status"), max_length=6, choices=Status.choices, default=Status.OPEN)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    closed_by = models.ForeignKey(
        "tenants.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("closed by")
    )
    # SHA-256 over the digest of the period before and every charge of this one: `billing.digests`.
    digest = models.CharField(_("digest"), max_length=64, blank=True)
    charge_count = models.PositiveIntegerField(_("charges"), default=0)
    amount = models.DecimalField(_("amount"), max_digits=24, decimal_places=PLACES, default=0)
    list_amount = models.DecimalField(_("amount at list prices"), max_digits=24, decimal_places=PLACES, default=0)

    class Meta:
        verbose_name = _("billing period")
        verbose_name_plural = _("billing periods")
        ordering = ["tenant__name", "-starts_at"]
        permissions = [("close_billingperiod", "Can close billing periods for ever")]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "month"], name="one_period_a_month"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="period_ends_later"),
            models.CheckConstraint(
                condition=Q(status="open", closed_at=None, digest="")
                | (Q(status="closed", closed_at__isnull=False) & ~Q(digest="")),
                name="period_closed_with_digest",
            ),
            ExclusionConstraint(
                name="one_period_at_a_time", expressions=[(same_number("tenant_id"), OVERLAPS), (PERIOD, OVERLAPS)]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant} {self.label}"

    @property
    def label(self) -> str:
        """As in addresses: "2026-03"."""
        return f"{self.month:%Y-%m}"

    @property
    def is_closed(self) -> bool:
        return self.status == self.Status.CLOSED

    @property
    def invoice_number(self) -> str:
        """Known from the period's first moment, so that no charge is ever without one."""
        return f"{self.tenant.slug}-{self.label}"

    @property
    def last_day(self) -> date:
        """The last day of the calendar month."""
        return Month.of(self.month).last_day

    @property
    def money(self) -> Money:
        """What is to be paid for it, once it is closed."""
        return Money(self.amount, self.currency)
