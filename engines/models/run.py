"""Facts about runs: what billing stands on."""

from django.db import models
from django.utils.translation import gettext_lazy as _

TAG_LENGTH = 60


class RunFact(models.Model):
    """One thing known about one run (one life of an engine process), with who used what at that moment.

    Append-only. The same fact seen again is the same row: unique by run, kind, source and moment, so that repeats, re-lists
    and two watchers change nothing. Which of several facts of one kind counts is billing's decision.
    """

    class Kind(models.TextChoices):
        STARTED = "started", _("started")  # the GPU is taken
        LAUNCHED = "launched", _("launched")  # its process runs
        READY = "ready", _("ready")
        SEEN = "seen", _("seen alive")
        ENDED = "ended", _("ended")

    class Source(models.TextChoices):
        OPERATOR = "operator", _("operator")  # a correction by one of us, believed before all others
        CLUSTER = "cluster", _("cluster")  # the cluster's own clock and word
        RECONCILE = "reconcile", _("reconcile")  # concluded from absence

    instance = models.ForeignKey(
        "engines.Instance", on_delete=models.PROTECT, related_name="run_facts", verbose_name=_("instance")
    )
    run_id = models.CharField(_("run"), max_length=100)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    source = models.CharField(_("source"), max_length=10, choices=Source.choices)
    at = models.DateTimeField(_("at"))
    observed_at = models.DateTimeField(_("observed at"))
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+", verbose_name=_("tenant"))
    owner = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("owner"))
    gpu_class = models.ForeignKey("engines.GpuClass", on_delete=models.PROTECT, related_name="+", verbose_name=_("GPU class"))
    engine_version = models.ForeignKey(
        "engines.EngineVersion", on_delete=models.PROTECT, related_name="+", verbose_name=_("version")
    )
    quantity_milli = models.PositiveIntegerField(_("thousandths of a GPU"), default=1000)
    tag = models.CharField(_("tag"), max_length=TAG_LENGTH, blank=True, default="")

    class Meta:
        verbose_name = _("run fact")
        verbose_name_plural = _("run facts")
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["run_id", "kind", "source", "at"], name="run_fact_once")]
        indexes = [models.Index(fields=["instance", "at"])]

    def __str__(self) -> str:
        return f"{self.run_id} {self.kind} {self.at:%F %T}"


class TagChange(models.Model):
    """What an instance is for (a project, a campaign) changed. Append-only; billing attributes time by it, to the second."""

    instance = models.ForeignKey(
        "engines.Instance", on_delete=models.PROTECT, related_name="tag_changes", verbose_name=_("instance")
    )
    at = models.DateTimeField(_("at"))
    from_tag = models.CharField(_("from"), max_length=TAG_LENGTH, blank=True)
    to_tag = models.CharField(_("to"), max_length=TAG_LENGTH, blank=True)
    actor = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("actor"))

    class Meta:
        verbose_name = _("change of tag")
        verbose_name_plural = _("changes of tags")
        ordering = ["pk"]
        indexes = [models.Index(fields=["instance", "at"])]

    def __str__(self) -> str:
        return f"{self.instance}: {self.from_tag} → {self.to_tag}"


class VolumeFact(models.Model):
    """From a moment on a volume is there, is another's, is larger, serves another tag, or is gone.

    Append-only, and each fact once. Each says all that counts from its moment on, so that their order of arrival changes nothing.
    """

    class Kind(models.TextChoices):
        PROVISIONED = "provisioned", _("provisioned")
        CHANGED = "changed", _("changed")
        GONE = "gone", _("gone")

    class Source(models.TextChoices):
        OPERATOR = "operator", _("operator")
        CLUSTER = "cluster", _("cluster")
        PORTAL = "portal", _("portal")

    volume = models.ForeignKey("engines.Volume", on_delete=models.PROTECT, related_name="facts", verbose_name=_("volume"))
    kind = models.CharField(_("kind"), max_length=11, choices=Kind.choices)
    source = models.CharField(_("source"), max_length=10, choices=Source.choices)
    at = models.DateTimeField(_("at"))
    observed_at = models.DateTimeField(_("observed at"))
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+", verbose_name=_("tenant"))
    owner = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("owner"))
    size_gib = models.PositiveIntegerField(_("size, GiB"))
    storage_class = models.CharField(_("storage class"), max_length=63, blank=True)
    tag = models.CharField(_("tag"), max_length=TAG_LENGTH, blank=True, default="")

    class Meta:
        verbose_name = _("volume fact")
        verbose_name_plural = _("volume facts")
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["volume", "kind", "source", "at"], name="volume_fact_once")]

    def __str__(self) -> str:
        return f"{self.volume_id} {self.kind} {self.at:%F %T}"
