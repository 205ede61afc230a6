"""Tokens that providers sign, checked in full: signature, issuer, audience, times, nonce.

OpenID Connect Core 1.0 §3.1.3.7 (ID tokens), §12.2 (those of a refresh); Back-Channel Logout 1.0 §2.6 (logout tokens). allauth
checks neither the signature of an ID token that it fetched itself nor its nonce, and takes the issuer from what it is told there.
"""

import hmac
import time
from collections.abc import Mapping
from typing import Any

import jwt
from django.core.cache import cache

from tenants.sign_in.discovery import key_for
from tenants.sign_in.schema import Provider

LEEWAY_SECONDS = 30
LOGOUT_TOKEN_SECONDS = 600
"""How old a logout token may be, whatever it says itself."""
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class TokenRefused(Exception):
    """The token is not what it should be; the text says why, for the log."""


def verify_id_token(token: str, *, provider: Provider, nonce: str | None) -> dict[str, Any]:
    """Return the claims of an ID token. `nonce`: what the authorization request carried; None for a refresh, which has none.

    Raises TokenRefused, ProviderUnavailable.
    """
    claims = _verify(token, provider, require=["iss", "sub", "aud", "exp", "iat"])
    if nonce is not None and not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise TokenRefused("its nonce is not that of this sign-in")
    if not claims["sub"]:
        raise TokenRefused("it names nobody")
    return claims


def verify_logout_token(token: str, *, provider: Provider) -> dict[str, Any]:
    """Return the claims of a logout token, which counts once. Raises TokenRefused, ProviderUnavailable."""
    claims = _verify(token, provider, require=["iss", "aud", "exp", "iat", "jti", "events"])
    kind = jwt.get_unverified_header(token).get("typ", "logout+jwt")
    if str(kind).lower() not in {"logout+jwt", "jwt"}:
        raise TokenRefused(f"it is a token of the kind {kind!r}")
    events = claims["events"]
    if not isinstance(events, Mapping) or not isinstance(events.get(LOGOUT_EVENT), Mapping):
        raise TokenRefused("it does not tell of a sign-out")
    if "nonce" in claims:
        raise TokenRefused("it has a nonce, as ID tokens have")
    if not (_is_text(claims.get("sub")) or _is_text(claims.get("sid"))):
        raise TokenRefused("it names neither a person nor a session")
    if time.time() - claims["iat"] > LOGOUT_TOKEN_SECONDS:
        raise TokenRefused("it is too old")
    if not cache.add(f"oidc:logout:{provider.id}:{claims['jti']}", 1, LOGOUT_TOKEN_SECONDS + 2 * LEEWAY_SECONDS):
        raise TokenRefused("it was used before")
    return claims


def _verify(token: str, provider: Provider, *, require: list[str]) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key=key_for(provider, token),
            algorithms=list(provider.algorithms),
            issuer=provider.issuer,
            audience=provider.client_id,
            leeway=LEEWAY_SECONDS,
            options={"require": require},
        )
    except jwt.PyJWTError as error:
        raise TokenRefused(str(error)) from error
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else provider.client_id) != provider.client_id:
        raise TokenRefused("it is meant for another client")
    return claims


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""
