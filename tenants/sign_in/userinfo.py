"""A person's claims: those of the ID token, and what the provider's userinfo endpoint adds."""

from typing import Any

from tenants.sign_in.discovery import ProviderUnavailable, endpoints_of, get_json
from tenants.sign_in.schema import Provider
from tenants.sign_in.tokens import TokenRefused

_OF_THE_TOKEN = frozenset({"iss", "sub", "aud", "exp", "iat", "azp", "nonce", "sid", "auth_time", "acr", "amr"})
"""Claims that the ID token alone makes: it is signed."""


def claims_of(provider: Provider, *, id_claims: dict[str, Any], access_token: str) -> dict[str, Any]:
    """Return all claims.

    Raises TokenRefused if userinfo is another person's (Core 1.0 §5.3.2), ProviderUnavailable, ProviderWrong.
    """
    endpoint = endpoints_of(provider).userinfo_endpoint if provider.userinfo else None
    if endpoint is None:
        return id_claims
    said = get_json(endpoint, headers={"Authorization": f"Bearer {access_token}"})
    if not isinstance(said, dict):
        raise ProviderUnavailable(f"{endpoint} does not answer with claims")
    if said.get("sub") != id_claims["sub"]:
        raise TokenRefused("userinfo is that of another person")
    return id_claims | {name: value for name, value in said.items() if name not in _OF_THE_TOKEN}
