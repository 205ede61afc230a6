"""One address that somebody invited into a tenant."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.notifications.models import new_slug


class InvitationQuerySet(models.QuerySet["Invitation"]):
    """Domain names for common filters."""

    def pending(self) -> Self:
        """Invitations that nobody has used or taken back; they may be over all the same."""
        return self.filter(accepted_at=None, revoked_at=None)


class Invitation(models.Model):
    """Whoever reads the mail of this address may become a member, once. An issue is one mail: a later one ends its link."""

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="invitations", verbose_name=_("tenant"))
    slug = models.CharField(_("slug"), max_length=20, unique=True, default=new_slug, editable=False)
    address = models.EmailField(_("address"))
    # The choices are Role's, which this module comes before.
    role = models.CharField(_("role"), max_length=10)
    # Whoever wrote its latest mail, and must be able to give the role when it is accepted.
    invited_by = models.ForeignKey("tenants.User", models.SET_NULL, null=True, related_name="+", verbose_name=_("invited by"))
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    issues = models.PositiveIntegerField(_("mails"), default=0)
    issued_at = models.DateTimeField(_("last sent at"), default=timezone.now)
    expires_at = models.DateTimeField(_("valid until"))
    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    accepted_at = models.DateTimeField(_("accepted at"), null=True, blank=True)
    accepted_by = models.ForeignKey(
        "tenants.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("accepted by")
    )
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                "tenant", Lower("address"), name="invited_once", condition=Q(accepted_at=None, revoked_at=None)
            ),
            models.CheckConstraint(condition=Q(accepted_at=None) | Q(revoked_at=None), name="accepted_or_revoked"),
        ]
        indexes = [
            models.Index(Lower("address"), name="invitations_of_address", condition=Q(accepted_at=None, revoked_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.address} → {self.tenant}"

    @property
    def issue(self) -> str:
        """The public name of its latest mail."""
        return f"{self.slug}-{self.issues}"

    @property
    def has_expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at <= timezone.now()
