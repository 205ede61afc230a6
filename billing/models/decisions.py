"""What operators have said about facts in doubt."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

REASON_LENGTH = 200


class FactDecision(models.Model):
    """A fact that was too old when it was observed, or from the future, counts or does not. Said once and for all."""

    run_fact = models.OneToOneField(
        "engines.RunFact",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="decision",
        verbose_name=_("fact about a run"),
    )
    volume_fact = models.OneToOneField(
        "engines.VolumeFact",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="decision",
        verbose_name=_("fact about a volume"),
    )
    counts = models.BooleanField(_("counts"))
    reason = models.CharField(_("reason"), max_length=REASON_LENGTH)
    decided_at = models.DateTimeField(_("decided at"))
    decided_by = models.ForeignKey(
        "tenants.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )

    class Meta:
        verbose_name = _("decision about a fact")
        verbose_name_plural = _("decisions about facts")
        ordering = ["-decided_at", "-pk"]
        permissions = [("decide_factdecision", "Can decide whether facts in doubt count")]
        constraints = [
            models.CheckConstraint(
                condition=Q(run_fact__isnull=False, volume_fact=None) | Q(run_fact=None, volume_fact__isnull=False),
                name="decision_about_one_fact",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_fact or self.volume_fact}: {self.counts}"
