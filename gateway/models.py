"""What programs carry to reach engines; people's passes are not stored."""

from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from gateway.api_tokens.limits import RULE_LENGTH
from gateway.api_tokens.secrets import PREFIX
from tenants.access_tokens.carried import CarriedToken

LIFE_LIMIT = timedelta(days=366)


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Domain names for common filters."""

    def live(self) -> "ApiTokenQuerySet":
        """Tokens that nobody revoked, that have not run out, and whose maker is still a member."""
        return self.filter(revoked_at=None, expires_at__gt=timezone.now(), membership__isnull=False)


class ApiToken(CarriedToken):
    """One program's access to one instance, or to every instance of the tenant that its maker may visit.

    It never may more than its maker: membership, role, shares and the instance are asked at every look-up.
    """

    class Scope(models.TextChoices):
        USE = "use", _("use the engine while it runs")
        WAKE = "wake", _("use the engine, and start it when it is paused")

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="api_tokens", verbose_name=_("tenant"))
    instance = models.ForeignKey(
        "engines.Instance",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="api_tokens",
        verbose_name=_("instance"),
        help_text=_("None: every instance of the tenant that its maker may visit."),
    )
    made_by = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="api_tokens", verbose_name=_("made by"))
    scope = models.CharField(_("scope"), max_length=8, choices=Scope.choices, default=Scope.USE)
    rules = ArrayField(models.CharField(max_length=RULE_LENGTH), verbose_name=_("paths"), default=list, blank=True)
    networks = ArrayField(models.CharField(max_length=50), verbose_name=_("networks"), default=list, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta(CarriedToken.Meta):
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(expires_at__lte=models.F("created_at") + LIFE_LIMIT), name="api_token_lives_a_year_at_most"
            ),
            models.CheckConstraint(
                condition=models.Q(revoked_at__isnull=False) | models.Q(revoked_by__isnull=True), name="api_token_revoked_when"
            ),
        ]

    @property
    def start(self) -> str:
        """What people recognise it by."""
        return f"{PREFIX}{self.key_id}…"

    @property
    def may_wake(self) -> bool:
        return self.scope == self.Scope.WAKE

    @property
    def has_ended(self) -> bool:
        """Whether it opens nothing any more, whatever its maker may do."""
        return self.is_over or self.membership_id is None
