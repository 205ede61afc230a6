"""How far the books are, and the time that is billed."""

from typing import Self

from django.contrib.postgres.constraints import ExclusionConstraint
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.models.ranges import OVERLAPS, PERIOD, same_uuid


class FactCursor(models.Model):
    """The one row that says which facts about runs have been passed on to the meters."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    read_to = models.BigIntegerField(_("facts read up to"), default=0)
    volumes_read_to = models.BigIntegerField(_("facts about volumes read up to"), default=0)

    class Meta:
        verbose_name = _("fact cursor")
        verbose_name_plural = _("fact cursors")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_fact_cursor")]

    def __str__(self) -> str:
        return str(self.read_to)


class _Progress(models.Model):
    # Up to which lasting usage is charged: a full hour, or for storage the end of a day; never moves back.
    settled_to = models.DateTimeField(_("settled up to"), null=True, blank=True)
    # Something from this moment on has changed since: facts or prices.
    dirty_from = models.DateTimeField(_("to be settled from"), null=True, blank=True)
    # The earliest settled usage for which there was no price.
    unpriced_from = models.DateTimeField(_("without a price from"), null=True, blank=True)
    # Facts that count for nothing until an operator says that they do.
    quarantined = models.PositiveIntegerField(_("facts in doubt"), default=0)

    class Meta:
        abstract = True


class Meter(_Progress):
    """How far one instance is settled. Settling locks this row."""

    instance = models.OneToOneField(
        "engines.Instance", on_delete=models.PROTECT, primary_key=True, related_name="meter", verbose_name=_("instance")
    )
    # What is wrong with its facts, as "run: trouble" in the words of `metering.Trouble`.
    anomalies = models.JSONField(_("anomalies"), default=list, blank=True)

    class Meta:
        verbose_name = _("meter")
        verbose_name_plural = _("meters")
        indexes = [models.Index(fields=["dirty_from"], condition=Q(dirty_from__isnull=False), name="dirty_meters")]

    def __str__(self) -> str:
        return str(self.instance_id)


class VolumeMeter(_Progress):
    """How far one volume is settled. Settling locks this row."""

    volume = models.OneToOneField(
        "engines.Volume", on_delete=models.PROTECT, primary_key=True, related_name="meter", verbose_name=_("volume")
    )

    class Meta:
        verbose_name = _("volume meter")
        verbose_name_plural = _("volume meters")
        indexes = [
            models.Index(fields=["dirty_from"], condition=Q(dirty_from__isnull=False), name="dirty_volume_meters"),
            models.Index(fields=["settled_to"], name="volume_meters_by_progress"),
        ]

    def __str__(self) -> str:
        return str(self.volume_id)


class UsageQuerySet(models.QuerySet["UsageInterval"]):
    """Domain names for common filters."""

    def billed(self) -> Self:
        """What is charged: GPU time and storage."""
        return self.filter(kind__in=UsageInterval.BILLED)

    def gpu(self) -> Self:
        """Billed GPU time."""
        return self.filter(kind=UsageInterval.Kind.GPU)

    def storage(self) -> Self:
        """Billed storage."""
        return self.filter(kind=UsageInterval.Kind.STORAGE)

    def unbilled(self) -> Self:
        """Time that took a GPU and is free: starting up, and starts that failed."""
        return self.exclude(kind__in=UsageInterval.BILLED)


class UsageInterval(models.Model):
    """Time [starts_at, ends_at) that an owner used a GPU class or had a volume; open while it lasts.

    Worked out from facts, rebuildable. Whatever its kind, one instance has one interval at a time, and so has one volume. Cut
    wherever the owner, the tag or the size changes.
    """

    class Kind(models.TextChoices):
        GPU = "gpu", _("GPU time")
        STORAGE = "storage", _("storage")
        STARTING = "starting", _("starting up")
        FAILED_START = "failed", _("start that failed")

    BILLED = (Kind.GPU, Kind.STORAGE)

    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices, default=Kind.GPU)
    instance = models.ForeignKey(
        "engines.Instance",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="usage_intervals",
        verbose_name=_("instance"),
    )
    volume = models.ForeignKey(
        "engines.Volume",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="usage_intervals",
        verbose_name=_("volume"),
    )
    run_id = models.CharField(_("run"), max_length=100, blank=True)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+", verbose_name=_("tenant"))
    owner = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("owner"))
    gpu_class = models.ForeignKey(
        "engines.GpuClass", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("GPU class")
    )
    storage_class = models.CharField(_("storage class"), max_length=63, blank=True)
    quantity_milli = models.PositiveIntegerField(_("thousandths of a unit"), default=1000, help_text=_("Unit: GPU or GiB."))
    tag = models.CharField(_("tag"), max_length=60, blank=True)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)

    objects = UsageQuerySet.as_manager()

    class Meta:
        verbose_name = _("usage interval")
        verbose_name_plural = _("usage intervals")
        ordering = ["starts_at"]
        indexes = [
            models.Index(fields=["tenant", "starts_at"]),
            models.Index(fields=["instance"], condition=Q(ends_at__isnull=True), name="open_usage"),
            models.Index(fields=["volume"], condition=Q(volume__isnull=False), name="usage_of_volume"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")), name="usage_ends_later"),
            models.CheckConstraint(
                condition=Q(kind="storage", instance=None, volume__isnull=False, gpu_class=None)
                | (~Q(kind="storage") & Q(instance__isnull=False, volume=None, gpu_class__isnull=False)),
                name="usage_subject",
            ),
            ExclusionConstraint(
                name="usage_without_overlap",
                expressions=[(same_uuid("instance_id", "volume_id"), OVERLAPS), (PERIOD, OVERLAPS)],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id or self.volume_id} {self.starts_at:%F %T}"
