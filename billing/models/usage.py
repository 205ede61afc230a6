"""How far the books are, and the time that is billed."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.models.ranges import OVERLAPS, PERIOD, same_uuid


class FactCursor(models.Model):
    """The one row that says which facts about runs have been passed on to the meters."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    read_to = models.BigIntegerField(_("facts read up to"), default=0)

    class Meta:
        verbose_name = _("fact cursor")
        verbose_name_plural = _("fact cursors")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_fact_cursor")]

    def __str__(self) -> str:
        return str(self.read_to)


class Meter(models.Model):
    """How far one instance is settled. Settling locks this row."""

    instance = models.OneToOneField(
        "engines.Instance", on_delete=models.PROTECT, primary_key=True, related_name="meter", verbose_name=_("instance")
    )
    # Full hour up to which lasting usage is charged; never moves back.
    settled_to = models.DateTimeField(_("settled up to"), null=True, blank=True)
    # Something from this moment on has changed since: facts or prices.
    dirty_from = models.DateTimeField(_("to be settled from"), null=True, blank=True)
    # The earliest settled usage for which there was no price.
    unpriced_from = models.DateTimeField(_("without a price from"), null=True, blank=True)

    class Meta:
        verbose_name = _("meter")
        verbose_name_plural = _("meters")
        indexes = [models.Index(fields=["dirty_from"], condition=Q(dirty_from__isnull=False), name="dirty_meters")]

    def __str__(self) -> str:
        return str(self.instance_id)


class UsageInterval(models.Model):
    """Time [starts_at, ends_at) that an owner used a GPU class; open while it lasts. Worked out from facts, rebuildable."""

    instance = models.ForeignKey(
        "engines.Instance", on_delete=models.PROTECT, related_name="usage_intervals", verbose_name=_("instance")
    )
    run_id = models.CharField(_("run"), max_length=100)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+", verbose_name=_("tenant"))
    owner = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("owner"))
    gpu_class = models.ForeignKey("engines.GpuClass", on_delete=models.PROTECT, related_name="+", verbose_name=_("GPU class"))
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("usage interval")
        verbose_name_plural = _("usage intervals")
        ordering = ["starts_at"]
        indexes = [
            models.Index(fields=["tenant", "starts_at"]),
            models.Index(fields=["instance"], condition=Q(ends_at__isnull=True), name="open_usage"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")), name="usage_ends_later"),
            ExclusionConstraint(
                name="usage_without_overlap",
                expressions=[(same_uuid("instance_id"), OVERLAPS), (PERIOD, OVERLAPS)],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.starts_at:%F %T}"
