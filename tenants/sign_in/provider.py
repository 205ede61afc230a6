"""allauth's kind of provider for OpenID Connect, stricter: a nonce, ID tokens checked in full, userinfo of the same person.

The file's name is how allauth finds it. Nothing that a visitor's address says changes the request to the provider.
"""

import secrets
from typing import Any

from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest, HttpResponse

from aigc_portal.sealing import seal
from tenants.sign_in import configuration
from tenants.sign_in.claims import verified_email
from tenants.sign_in.discovery import Endpoints, ProviderUnavailable, ProviderWrong, endpoints_of
from tenants.sign_in.schema import Provider
from tenants.sign_in.tokens import TokenRefused, verify_id_token
from tenants.sign_in.userinfo import claims_of


class StrictAdapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """One sign-in: the exchange of the code, and the claims of who it was. `nonce` is set from the state that came back."""

    nonce = ""

    @property
    def configured(self) -> Provider:
        """The provider as the operator configured it; SocialApp.DoesNotExist for one that is not there."""
        found = configuration.provider(self.provider_id)
        if found is None:
            raise SocialApp.DoesNotExist
        return found

    @property
    def openid_config(self) -> dict[str, Any]:
        """The discovery document, as allauth reads it. Raises OAuth2Error, which becomes a page that says so."""
        try:
            endpoints: Endpoints = endpoints_of(self.configured)
        except (ProviderUnavailable, ProviderWrong) as error:
            raise OAuth2Error(str(error)) from error
        return endpoints.model_dump(mode="json", exclude_none=True)

    def complete_login(
        self,
        request: HttpRequest,
        app: SocialApp,  # noqa: ARG002 - allauth passes it
        token: SocialToken,
        **kwargs: Any,
    ) -> SocialLogin:
        """Return who signed in. The tokens are sealed from here on: they wait in the session for a second factor."""
        id_token = str(kwargs["response"].get("id_token") or "")
        if not self.nonce:
            raise OAuth2Error("this sign-in was not begun here")
        try:
            said = verify_id_token(id_token, provider=self.configured, nonce=self.nonce)
            claims = claims_of(self.configured, id_claims=said, access_token=token.token)
        except (TokenRefused, ProviderUnavailable, ProviderWrong) as error:
            raise OAuth2Error(str(error)) from error
        token.token = seal(id_token)
        token.token_secret = seal(token.token_secret) if token.token_secret else ""
        login: SocialLogin = self.get_provider().sociallogin_from_response(request, claims)
        return login


class StrictProvider(OpenIDConnectProvider):  # type: ignore[misc]
    """A provider of AIGC_OIDC_PROVIDERS. `app` is made from it for each request and never saved."""

    oauth2_adapter_class = StrictAdapter
    supports_token_authentication = False

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **kwargs: Any
    ) -> HttpResponse:
        """Begin a sign-in, whose nonce waits in the visitor's session beside its state."""
        nonce = secrets.token_urlsafe(32)
        kwargs["auth_params"] = self.get_auth_params() | {"nonce": nonce}
        answer: HttpResponse = super().redirect(request, process, next_url, data, nonce=nonce, **kwargs)
        return answer

    def get_scope_from_request(self, request: HttpRequest) -> list[str]:  # noqa: ARG002 - that is the point
        """Take the configured scopes, whatever the address says."""
        return list(self.get_scope())

    def get_auth_params_from_request(self, request: HttpRequest, action: str) -> dict[str, str]:  # noqa: ARG002 - same
        """Take the configured parameters, whatever the address says."""
        return dict(self.get_auth_params())

    def extract_uid(self, data: dict[str, Any]) -> str:
        return str(data["sub"])

    def extract_email_addresses(self, data: dict[str, Any]) -> list[EmailAddress]:
        email = data.get("email")
        if not isinstance(email, str):
            return []
        configured = configuration.provider(self.app.provider_id)
        is_verified = configured is not None and verified_email(data, configured) != ""
        return [EmailAddress(email=email.lower(), verified=is_verified, primary=True)]

    def serialize(self) -> dict[str, Any]:
        """Name the provider by its own id: two of them may have clients of the same name."""
        return {"id": self.app.provider_id}

    @classmethod
    def deserialize(cls, data: Any) -> "StrictProvider":
        """Find it again, when a second factor was given. Raises ValueError."""
        if not isinstance(data, dict) or configuration.provider(str(data.get("id"))) is None:
            raise ValueError(data)
        found: StrictProvider = get_adapter().get_provider(context.request, provider=str(data["id"]))
        return found


provider_classes = [StrictProvider]
