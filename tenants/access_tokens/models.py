"""What programs carry to use the API, and what they were answered last."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aigc_portal.sealed_field import SealedField
from tenants.access_tokens.carried import CarriedToken
from tenants.access_tokens.secrets import PREFIXES


class AccessTokenQuerySet(models.QuerySet["AccessToken"]):
    """Domain names for common filters."""

    def live(self) -> "AccessTokenQuerySet":
        """Tokens that open something: not revoked, not over, of somebody active, and still in the tenant they are bound to."""
        bound = models.Q(tenant=None) | models.Q(membership__isnull=False)
        return self.filter(bound, revoked_at=None, expires_at__gt=timezone.now(), user__is_active=True)


class AccessToken(CarriedToken):
    """A program's access to the API, as a person or as a service of a tenant, within scopes.

    A personal token acts as its person, in one tenant or in all of theirs; it never may more than they. A service token acts as
    a user of its own, who is a member of the tenant with the role that was given to it (docs/adr/0019-service-users.md).
    """

    class Kind(models.TextChoices):
        PERSONAL = "personal", _("personal")
        SERVICE = "service", _("service")

    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    user = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="access_tokens", verbose_name=_("acts as"))
    # None: every tenant of its person.
    tenant = models.ForeignKey(
        "tenants.Tenant", on_delete=models.CASCADE, null=True, blank=True, related_name="access_tokens", verbose_name=_("tenant")
    )
    made_by = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("made by"))
    scopes = ArrayField(models.CharField(max_length=40), verbose_name=_("scopes"))

    objects = AccessTokenQuerySet.as_manager()

    class Meta(CarriedToken.Meta):
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="personal") | models.Q(tenant__isnull=False), name="service_token_of_a_tenant"
            ),
            models.CheckConstraint(
                condition=models.Q(revoked_at__isnull=False) | models.Q(revoked_by__isnull=True), name="access_token_revoked_when"
            ),
            models.CheckConstraint(condition=models.Q(expires_at__gt=models.F("created_at")), name="access_token_lives"),
        ]

    @property
    def start(self) -> str:
        """What people recognise it by."""
        return f"{PREFIXES[self.kind]}{self.key_id}…"

    @property
    def has_ended(self) -> bool:
        """Whether it opens nothing any more, whatever its user may do."""
        return self.is_over or (self.tenant_id is not None and self.membership_id is None)


class KeptAnswer(models.Model):
    """What a request under an Idempotency-Key was answered, for whoever sends it again. Written together with what it did."""

    token = models.ForeignKey(AccessToken, on_delete=models.CASCADE, related_name="+")
    route = models.CharField(max_length=300)
    key = models.CharField(max_length=255)
    request_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    # An answer may hold a secret that is kept nowhere else.
    sealed_body = SealedField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "route", "key"], name="answered_once")]
        indexes = [models.Index(fields=["created_at"], name="kept_answer_age")]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"
