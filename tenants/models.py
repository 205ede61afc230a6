"""Who shares instances, quota and bill."""

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

# Tables of this app, as Django finds models here.
import tenants.access_tokens.models
import tenants.audit.models
import tenants.notifications.models  # noqa: F401


class User(AbstractUser):
    """A person, or a program that acts in its own name; `is_staff` marks our own operators."""

    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", help_text=_("IANA name, e.g. Europe/Berlin."))
    language = models.CharField(
        _("language"), max_length=10, blank=True, choices=settings.LANGUAGES, help_text=_("Of e-mails; chosen last on any page.")
    )
    # What a service token acts as: nobody can sign in as it.
    is_service = models.BooleanField(_("service"), default=False, editable=False)

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        permissions = [
            ("use_console", "Can use the operators’ console"),
            ("look_as", "Can see the portal as somebody else sees it"),
            ("act_as", "Can act in the portal for somebody else"),
        ]
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_ci_unique", condition=~models.Q(email="")),
        ]


class Role(models.TextChoices):
    """What a member may do in a tenant; each includes the member's own instances."""

    OWNER = "owner", _("owner")
    ADMIN = "admin", _("admin")
    MEMBER = "member", _("member")
    FINANCE = "finance", _("finance")
    VIEWER = "viewer", _("viewer")


class Tenant(models.Model):
    """A studio or team. The slug is for machines and never changes; the name is for people."""

    slug = models.SlugField(_("slug"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80, unique=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    suspended_at = models.DateTimeField(_("suspended at"), null=True, blank=True)
    max_running = models.PositiveIntegerField(
        _("running instances, at most"), default=5, help_text=_("Counts instances that run, start or wait for a GPU.")
    )
    max_instances = models.PositiveIntegerField(_("instances, at most"), default=50)
    may_burst = models.BooleanField(
        _("may use the cloud"), default=False, help_text=_("Where it costs more: when no GPU is free on premises.")
    )
    burst_after_seconds = models.PositiveIntegerField(
        _("to the cloud after, seconds"), default=45, help_text=_("How long a launch waits for a GPU on premises first.")
    )

    members = models.ManyToManyField("tenants.User", through="tenants.Membership", related_name="tenants")

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One person's role in one tenant."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("tenant"))
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("user"))
    role = models.CharField(_("role"), max_length=10, choices=Role.choices, default=Role.MEMBER)
    created_at = models.DateTimeField(_("member since"), auto_now_add=True)

    is_operator = False
    """True on what `access.as_operator` makes, which is never saved."""

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["tenant", "user"], name="one_membership_per_tenant")]

    def __str__(self) -> str:
        return f"{self.user} @ {self.tenant}"
