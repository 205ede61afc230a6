"""What engines have made, as far as they tell."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class PictureCount(models.Model):
    """Jobs of one run that were seen to have ended in one hour, and the pictures they saved; written by `release.counting`."""

    instance = models.ForeignKey("engines.Instance", on_delete=models.CASCADE, related_name="+", verbose_name=_("instance"))
    run_id = models.CharField(_("run"), max_length=100)
    hour_at = models.DateTimeField(_("hour"))
    jobs = models.PositiveIntegerField(_("jobs"), default=0)
    pictures = models.PositiveIntegerField(_("pictures"), default=0)
    # When the last counted job ended, by the engine's clock: what ended later is not counted yet.
    counted_to_ms = models.BigIntegerField(_("counted up to, milliseconds"), default=0)

    class Meta:
        verbose_name = _("count of pictures")
        verbose_name_plural = _("counts of pictures")
        constraints = [models.UniqueConstraint(fields=["run_id", "hour_at"], name="pictures_once_an_hour")]
        indexes = [models.Index(fields=["hour_at"])]

    def __str__(self) -> str:
        return f"{self.run_id} {self.hour_at:%F %H:00}: {self.pictures}"
