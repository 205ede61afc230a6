"""What is kept of sign-ins by providers."""

from allauth.socialaccount.models import SocialAccount
from django.db import models
from django.utils.translation import gettext_lazy as _

from aigc_portal.sealed_field import SealedField


class ProviderSession(models.Model):
    """One sign-in by a provider: which session of the portal began with it, and how the provider is asked whether it still holds.

    It outlives the portal's session (`session_key` is empty then) while its refresh token is what vouches for the person.
    """

    account = models.ForeignKey(SocialAccount, on_delete=models.CASCADE, related_name="sessions", verbose_name=_("account"))
    session_key = models.CharField(max_length=40, blank=True)
    # The provider's own session, by which it tells of a sign-out; empty if it names none.
    sid = models.CharField(max_length=255, blank=True)
    sealed_id_token = SealedField(blank=True)
    sealed_refresh_token = SealedField(blank=True)
    began_at = models.DateTimeField(_("began at"))
    confirmed_at = models.DateTimeField(_("confirmed at"))
    # When the provider is asked next; None without a refresh token to ask with.
    due_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("provider session")
        verbose_name_plural = _("provider sessions")
        indexes = [
            models.Index(fields=["session_key"], name="provider_session_by_key"),
            models.Index(fields=["due_at"], name="provider_session_due"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.began_at:%Y-%m-%d %H:%M}"
