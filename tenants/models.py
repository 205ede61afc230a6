"""Who shares instances, quota and bill."""

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

# Tables of this app, as Django finds models here.
import tenants.access_tokens.models
import tenants.audit.models
import tenants.invitations.models
import tenants.notifications.models
import tenants.quotas.models  # noqa: F401
from tenants.names import NAME_LENGTH


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
            models.UniqueConstraint(
                Lower("username"),
                name="user_username_ci_unique",
                violation_error_message=_("A user with that username already exists."),
            ),
        ]


class Role(models.TextChoices):
    """What a member may do in a tenant; each includes the member's own instances."""

    OWNER = "owner", _("owner")
    ADMIN = "admin", _("admin")
    MEMBER = "member", _("member")
    FINANCE = "finance", _("finance")
    VIEWER = "viewer", _("viewer")


def open_for_work(prefix: str = "") -> models.Q:
    """Select what belongs to tenants whose members may work; `prefix` leads to the tenant, e.g. "tenant__"."""
    return models.Q(**{f"{prefix}suspended_at": None, f"{prefix}deletion_due_at": None})


class Tenant(models.Model):
    """A studio or team. The slug is for machines, never changes and is never used again; the name is for people.

    A tenant that is to be deleted stands still until `deletion_due_at`. What is left of a deleted one is this row, for its slug,
    its books and its audit log.
    """

    slug = models.SlugField(_("slug"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    suspended_at = models.DateTimeField(_("suspended at"), null=True, blank=True)
    suspended_reason = models.CharField(_("why it is suspended"), max_length=200, blank=True, help_text=_("Its members read it."))
    deletion_due_at = models.DateTimeField(_("to be deleted at"), null=True, blank=True)
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True)
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
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                name="tenant_name_ci_unique",
                condition=models.Q(deleted_at=None),
                violation_error_message=_("There is a tenant of this name already."),
            ),
            models.CheckConstraint(
                condition=models.Q(deleted_at=None) | models.Q(deletion_due_at__isnull=False), name="deleted_when_due"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_open(self) -> bool:
        """Whether members may work: it is neither suspended nor about to be deleted."""
        return self.suspended_at is None and self.deletion_due_at is None


def acting() -> models.Q:
    """Select memberships by which somebody can act: of active people, for whom their provider vouches if one gave it."""
    return models.Q(user__is_active=True, lapsed_at=None)


class Membership(models.Model):
    """One person's role in one tenant."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("tenant"))
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("user"))
    role = models.CharField(_("role"), max_length=10, choices=Role.choices, default=Role.MEMBER)
    created_at = models.DateTimeField(_("member since"), auto_now_add=True)
    # The id of the provider whose claims gave it, which may change and take it; empty for one that was given by hand.
    provider = models.CharField(_("from provider"), max_length=40, blank=True, editable=False)
    # The provider vouches for the person no more: nothing is allowed by it until they sign in again.
    lapsed_at = models.DateTimeField(_("lapsed at"), null=True, blank=True, editable=False)
    # Kept to a few minutes: see tenants.membership.
    last_seen_at = models.DateTimeField(_("last seen"), null=True, blank=True, editable=False)

    is_operator = False
    """True on what `access.as_operator` makes, which is never saved."""

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["tenant", "user"], name="one_membership_per_tenant")]

    def __str__(self) -> str:
        return f"{self.user} @ {self.tenant}"
