"""Facts about runs: what billing stands on."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class RunFact(models.Model):
    """One thing known about one run (one life of an engine process), with who used what at that moment.

    Append-only. The same fact seen again is the same row: unique by run, kind, source and moment, so that repeats, re-lists
    and two watchers change nothing. Which of several facts of one kind counts is billing's decision.
    """

    class Kind(models.TextChoices):
        STARTED = "started", _("started")  # the GPU is taken
        READY = "ready", _("ready")
        SEEN = "seen", _("seen alive")
        ENDED = "ended", _("ended")

    class Source(models.TextChoices):
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

    class Meta:
        verbose_name = _("run fact")
        verbose_name_plural = _("run facts")
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["run_id", "kind", "source", "at"], name="run_fact_once")]
        indexes = [models.Index(fields=["instance", "at"])]

    def __str__(self) -> str:
        return f"{self.run_id} {self.kind} {self.at:%F %T}"
