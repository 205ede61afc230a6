"""Who is billed, and by which calendar and currency."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class BillingAccount(models.Model):
    """A tenant as somebody who is billed. Made with the first that is known of its usage; the row is the lock of its totals."""

    tenant = models.OneToOneField(
        "tenants.Tenant", on_delete=models.PROTECT, primary_key=True, related_name="billing_account", verbose_name=_("tenant")
    )
    budget_owner = models.ForeignKey(
        "tenants.User",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("budget owner"),
        help_text=_("Who answers for what is spent."),
    )
    # When charges were last posted, by `posting` alone: what was posted until then never changes, and what comes later is later.
    posted_to = models.DateTimeField(_("posted up to"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("billing account")
        verbose_name_plural = _("billing accounts")
        ordering = ["tenant__name"]

    def __str__(self) -> str:
        return str(self.tenant)


class BillingTerms(models.Model):
    """The time zone of an account's days and months, and its currency, from a moment on: the beginning of a period.

    Written by `accounts.set_terms` alone. The first have no beginning: they count for all that was before.
    """

    account = models.ForeignKey(BillingAccount, on_delete=models.PROTECT, related_name="terms", verbose_name=_("account"))
    starts_at = models.DateTimeField(_("from"), null=True, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", help_text=_("IANA name, e.g. Europe/Berlin."))
    currency = models.CharField(_("currency"), max_length=3)

    class Meta:
        verbose_name = _("billing terms")
        verbose_name_plural = _("billing terms")
        ordering = ["account", F("starts_at").asc(nulls_first=True)]
        constraints = [
            models.UniqueConstraint(fields=["account", "starts_at"], nulls_distinct=False, name="terms_begin_once"),
            models.CheckConstraint(condition=Q(currency__regex="^[A-Z]{3}$"), name="terms_currency_is_a_code"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.time_zone}, {self.currency}"
