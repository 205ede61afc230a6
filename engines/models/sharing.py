"""Who else may enter an instance, and whose it was before."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class ShareQuerySet(models.QuerySet["Share"]):
    """Domain names for common filters."""

    def lasting(self, at: datetime) -> Self:
        """Shares that let somebody in at this moment: nobody has ended them, and their time is not over."""
        return self.filter(Q(until__isnull=True) | Q(until__gt=at), ended_at__isnull=True)


class Share(models.Model):
    """One member of the tenant, or everybody in it, may enter somebody's instance for a time.

    The migration adds what Django cannot say: instance and member are of this tenant, and a share goes with the membership
    that it was given to, by whatever way that one is removed. The instance's events keep what was.
    """

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="shares", verbose_name=_("tenant"))
    instance = models.ForeignKey("engines.Instance", on_delete=models.PROTECT, related_name="shares", verbose_name=_("instance"))
    # None: the whole tenant.
    member = models.ForeignKey(
        "tenants.User", on_delete=models.PROTECT, null=True, blank=True, related_name="shares", verbose_name=_("member")
    )
    until = models.DateTimeField(_("until"), null=True, blank=True)
    shared_by = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("shared by"))
    created_at = models.DateTimeField(_("shared at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    # None on a share that has ended: its time was over.
    ended_by = models.ForeignKey(
        "tenants.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("ended by")
    )

    objects = ShareQuerySet.as_manager()

    class Meta:
        verbose_name = _("share")
        verbose_name_plural = _("shares")
        ordering = ["pk"]
        indexes = [models.Index(fields=["member"], condition=Q(ended_at__isnull=True), name="shares_of_member")]
        constraints = [
            models.UniqueConstraint(
                fields=["instance", "member"], condition=Q(ended_at__isnull=True), name="shared_once_with_member"
            ),
            models.UniqueConstraint(
                fields=["instance"], condition=Q(ended_at__isnull=True, member__isnull=True), name="shared_once_with_tenant"
            ),
            models.CheckConstraint(condition=Q(until__isnull=True) | Q(until__gt=F("created_at")), name="share_lasts"),
            models.CheckConstraint(condition=Q(ended_at__isnull=False) | Q(ended_by__isnull=True), name="share_ended_when"),
        ]

    def __str__(self) -> str:
        return f"{self.instance}: {self.member or self.tenant}"


class Handover(models.Model):
    """An instance changed hands, together with its volume. Append-only; billing attributes time by it."""

    instance = models.ForeignKey(
        "engines.Instance", on_delete=models.PROTECT, related_name="handovers", verbose_name=_("instance")
    )
    at = models.DateTimeField(_("at"))
    from_owner = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("from"))
    to_owner = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("to"))
    actor = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("actor"))

    class Meta:
        verbose_name = _("hand-over")
        verbose_name_plural = _("hand-overs")
        ordering = ["pk"]
        indexes = [models.Index(fields=["instance", "at"])]

    def __str__(self) -> str:
        return f"{self.instance}: {self.from_owner} → {self.to_owner}"
