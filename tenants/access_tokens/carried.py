"""What the rows of all tokens have that programs carry, whatever they open."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aigc_portal.token_secrets import KEY_ID_LENGTH


class CarriedToken(models.Model):
    """A secret that a program carries: the database has its digest, what people recognise it by, and when it ends."""

    # The token ends with this very membership, also if the person comes back later.
    membership = models.ForeignKey(
        "tenants.Membership", on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("membership")
    )
    name = models.CharField(_("name"), max_length=60)
    key_id = models.CharField(_("begins with"), max_length=KEY_ID_LENGTH, unique=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"))
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    revoked_by = models.ForeignKey(
        "tenants.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("revoked by")
    )

    class Meta:
        abstract = True
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_over(self) -> bool:
        """Whether it was revoked, or its time has run out."""
        return self.revoked_at is not None or self.expires_at <= timezone.now()
