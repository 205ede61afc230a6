"""What allauth asks of us about providers: which there are, who may come in by them, whose account somebody's is."""

import logging
from typing import Any

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthError
from django.http import HttpRequest
from django.shortcuts import render

from tenants.audit.operations import record
from tenants.invitations.queries import is_invited
from tenants.models import Tenant, User
from tenants.sign_in import configuration
from tenants.sign_in.addresses import owner_of_verified, vouch_for_untouched
from tenants.sign_in.claims import verified_email, wanted_roles
from tenants.sign_in.schema import Provider

log = logging.getLogger(__name__)
KIND = "openid_connect"
"""allauth's name of the protocol."""


class ProviderAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Providers come from AIGC_OIDC_PROVIDERS alone: rows of allauth's table, whose secrets lie open, are not looked at."""

    def list_apps(self, request: HttpRequest, provider: str | None = None, client_id: str | None = None) -> list[SocialApp]:  # noqa: ARG002 - same
        """Make allauth's picture of each provider that is asked for."""
        return [
            _as_app(each)
            for each in configuration.providers()
            if provider in {None, KIND, each.id} and client_id in {None, each.client_id}
        ]

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Refuse, in words, a newcomer whose address somebody has already and whose provider is not trusted to link the two."""
        if sociallogin.is_existing or sociallogin.state.get("process") == "connect":
            return
        address = next((each.email for each in sociallogin.email_addresses if each.verified), None)
        if address and User.objects.filter(email__iexact=address).exists():
            raise ImmediateHttpResponse(_refusal(request, sociallogin, "address_taken"))

    def authenticate_by_email(self, sociallogin: SocialLogin) -> tuple[User, str] | None:
        """Take an account for theirs if both sides know that the address is theirs, and the provider is trusted with that.

        Never an operator's: whoever runs one tenant's provider would choose who runs the portal. Operators connect it themselves.
        """
        provider = configuration.provider(sociallogin.account.provider)
        if provider is None or not provider.link_by_email:
            return None
        email = verified_email(sociallogin.account.extra_data, provider)
        user = owner_of_verified(email) if email else None
        if user is None or user.is_staff:
            return None
        vouch_for_untouched(user)
        return user, email

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Let in whom the provider's configuration lets in, and those who were invited."""
        provider = configuration.provider(sociallogin.account.provider)
        if provider is None:
            return False
        if provider.new_accounts == "all" or get_account_adapter(request).is_open_for_signup(request):
            return True
        email = verified_email(sociallogin.account.extra_data, provider)
        if email and is_invited(email):
            return True
        wanted = wanted_roles(sociallogin.account.extra_data, provider)
        is_mapped = provider.new_accounts == "mapped" and Tenant.objects.filter(slug__in=wanted, deleted_at=None).exists()
        if not is_mapped:
            raise ImmediateHttpResponse(_refusal(request, sociallogin, "unknown_person"))
        return True

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]) -> User:
        """Never take an address for a name: people sign in by either, and it could be somebody else's."""
        data["username"] = str(data.get("username") or "").partition("@")[0]
        user: User = super().populate_user(request, sociallogin, data)
        return user

    def on_authentication_error(
        self,
        request: HttpRequest,  # noqa: ARG002 - same
        provider: Any,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002 - same
    ) -> None:
        """Write down why nobody came in; they are shown less."""
        why = str(exception) if exception is not None else str(error)
        if error != AuthError.CANCELLED:
            log.warning("a sign-in by %s failed: %s", provider.app.provider_id, why)
        record(
            "account.sign_in_failed",
            actor=None,
            details={"method": "provider", "provider": provider.app.provider_id, "why": why[:200]},
        )


def _as_app(provider: Provider) -> SocialApp:
    settings = {
        "server_url": provider.issuer,
        "oauth_pkce_enabled": True,
        "scope": list(provider.scopes),
        "auth_params": dict(provider.auth_params),
        "token_auth_method": provider.client_authentication,
    }
    return SocialApp(
        provider=KIND,
        provider_id=provider.id,
        name=provider.name,
        client_id=provider.client_id,
        secret=_secret(provider),
        settings=settings,
    )


def _secret(provider: Provider) -> str:
    """Of a secret that is away only those hear who sign in by this provider: the page of all must show."""
    try:
        return configuration.client_secret(provider)
    except (OSError, KeyError) as error:
        log.error("the client's secret of %s cannot be read: %r", provider.id, error)  # noqa: TRY400 - same
        return ""


def _refusal(request: HttpRequest, sociallogin: SocialLogin, why: str) -> Any:
    provider = sociallogin.account.provider
    record("account.sign_in_failed", actor=None, details={"method": "provider", "provider": provider, "why": why})
    name = next((each.name for each in configuration.providers() if each.id == provider), provider)
    return render(request, "socialaccount/refused.html", {"why": why, "provider_name": name}, status=403)
