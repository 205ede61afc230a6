"""Durable data, an object of its own: it survives the instance and is never silently re-attached."""

import uuid

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from engines.clusters.base import VolumeRef
from engines.clusters.names import new_slug, volume_name
from engines.models.catalog import EngineVersion


class Volume(models.Model):
    """A tenant's durable storage on one cluster."""

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        TRASHED = "trashed", _("in the trash")
        DELETED = "deleted", _("deleted")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.CharField(_("slug"), max_length=20, unique=True, default=new_slug, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="volumes", verbose_name=_("tenant"))
    owner = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="volumes", verbose_name=_("owner"))
    cluster = models.ForeignKey("engines.Cluster", on_delete=models.PROTECT, related_name="volumes", verbose_name=_("cluster"))
    # Where its objects are in the cluster; empty where a cluster has no such thing.
    namespace = models.CharField(_("namespace"), max_length=63, blank=True, editable=False)
    name = models.CharField(_("name"), max_length=60)
    size_gib = models.PositiveIntegerField(_("size, GiB"), default=50)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.ACTIVE)
    # Which engine version wrote the data last: another engine may not understand it.
    written_by = models.ForeignKey(
        "engines.EngineVersion",
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("written by"),
    )
    used_bytes = models.BigIntegerField(_("used, bytes"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    # Made in the cluster; from then on its absence is a loss, and it is never made again empty.
    provisioned_at = models.DateTimeField(_("provisioned at"), null=True, blank=True)
    purge_at = models.DateTimeField(_("leaves the trash at"), null=True, blank=True)
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True)

    class Meta:
        verbose_name = _("volume")
        verbose_name_plural = _("volumes")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                "tenant", Lower("name"), name="volume_name_unique_in_tenant", condition=models.Q(state="active")
            ),
            models.CheckConstraint(
                condition=models.Q(state="trashed", purge_at__isnull=False) | ~models.Q(state="trashed"),
                name="trash_has_a_date",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def readable_by(self, version: EngineVersion) -> bool | None:
        """Whether the version reads what is on it: False for another engine's data and for data to be migrated first,
        None (it should) for data that another version of the same engine wrote."""
        writer = self.written_by
        if writer is None or writer == version:
            return True
        must_migrate = writer.version in version.migrates_from or version.version in writer.migrates_from
        return False if writer.engine_id != version.engine_id or must_migrate else None

    @property
    def pool(self) -> str:
        """Name the part of its cluster where an instance last had it, which may be the only one that can mount it."""
        if self.provisioned_at is None:
            return ""
        return self.instances.order_by("-created_at").values_list("pool", flat=True).first() or ""

    @property
    def size_bytes(self) -> int:
        """What was asked for; whether a cluster keeps to it is the cluster's affair."""
        return self.size_gib * 1024**3

    @property
    def high_bytes(self) -> int:
        """From here on it is nearly full."""
        return self.size_bytes * 9 // 10

    @property
    def ref(self) -> VolumeRef:
        """What it is in the cluster."""
        return VolumeRef(volume_name(self.slug), self.namespace)
