"""How much there was to be used."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.models.ranges import OVERLAPS, PERIOD, same_number, same_text


class CapacityInterval(models.Model):
    """A cluster, or one of its pools, had so many slots of a GPU class during [starts_at, ends_at); open while it lasts.

    Noted by `capacity.note_capacity` from engines' Capacity, which knows the present alone.
    """

    cluster = models.ForeignKey("engines.Cluster", on_delete=models.CASCADE, related_name="+", verbose_name=_("cluster"))
    gpu_class = models.ForeignKey("engines.GpuClass", on_delete=models.CASCADE, related_name="+", verbose_name=_("GPU class"))
    pool = models.CharField(_("pool"), max_length=6, blank=True, default="")
    slots = models.PositiveIntegerField(_("slots"))
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("capacity interval")
        verbose_name_plural = _("capacity intervals")
        ordering = ["starts_at", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")), name="capacity_ends_later"),
            ExclusionConstraint(
                name="one_capacity_at_a_time",
                expressions=[
                    (same_number("cluster_id"), OVERLAPS),
                    (same_number("gpu_class_id"), OVERLAPS),
                    (same_text("pool"), OVERLAPS),
                    (PERIOD, OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slots} {self.starts_at:%F %T}"
