"""One thing that somebody did."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.audit.kinds import KINDS
from tenants.audit.origin import Channel
from tenants.audit.words import thing_of, told_of


class AuditEvent(models.Model):
    """One thing that somebody did. Append-only: a database trigger refuses changes.

    What it is about is kept as text, since it outlives the thing. `details`: what changed, as JSON; never a secret. What is old
    goes by `tenants.audit.retention` alone.
    """

    class Via(models.TextChoices):
        PORTAL = Channel.PORTAL, _("portal")
        API = Channel.API, _("API")
        ADMIN = Channel.ADMIN, _("operators’ console")
        GATEWAY = Channel.GATEWAY, _("engine gateway")
        SYSTEM = Channel.SYSTEM, _("the portal itself")

    at = models.DateTimeField(_("at"))
    # None: of a person or of the installation, not of a tenant.
    tenant = models.ForeignKey(
        "tenants.Tenant", on_delete=models.PROTECT, null=True, blank=True, related_name="audit_events", verbose_name=_("tenant")
    )
    # None: the portal itself, or somebody unknown whose sign-in failed.
    actor = models.ForeignKey(
        "tenants.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("who")
    )
    # The operator who acted as the actor.
    behind = models.ForeignKey(
        "tenants.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("operator behind")
    )
    kind = models.CharField(_("what"), max_length=60)
    subject_kind = models.CharField(_("kind of thing"), max_length=40, blank=True)
    subject_id = models.CharField(_("id of the thing"), max_length=64, blank=True)
    subject_name = models.CharField(_("thing"), max_length=200, blank=True)
    details = models.JSONField(_("details"), default=dict)
    via = models.CharField(_("by way of"), max_length=10, choices=Via.choices)
    address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    token = models.CharField(_("API token"), max_length=32, blank=True)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["tenant", "-at"], name="audit_of_tenant"),
            models.Index(fields=["actor", "-at"], name="audit_of_actor"),
            models.Index(fields=["subject_id"], condition=models.Q(tenant=None, subject_kind="person"), name="audit_of_accounts"),
            models.Index(fields=["subject_kind", "subject_id", "-at"], name="audit_of_subject"),
            models.Index(fields=["-at", "-id"], name="audit_by_moment"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_name}".strip()

    @property
    def did(self) -> str:
        """What was done, in words."""
        return str(KINDS.get(self.kind, self.kind))

    @property
    def thing(self) -> str:
        """What it was done to, in words."""
        return thing_of(self.subject_kind, self.subject_name)

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The details, as label and value."""
        return told_of(self.subject_kind, self.subject_name, self.details)
