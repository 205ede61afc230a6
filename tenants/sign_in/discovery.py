"""What a provider publishes about itself, its endpoints and its keys: kept in Valkey for a while, asked for again for a new key.

OpenID Connect Discovery 1.0, RFC 7517.
"""

import hashlib
from typing import Any

import jwt
import requests
from django.conf import settings
from django.core.cache import cache
from pydantic import BaseModel, ValidationError

from tenants.sign_in.schema import Address, Provider

ENDPOINTS_SECONDS = 600
KEYS_SECONDS = 3600
LOOKS_PER_MINUTE = 10
"""How often keys are asked for again because a token names an unknown one: anybody can make up such tokens."""


class ProviderUnavailable(Exception):
    """The provider does not answer, or not as a provider does. Says nothing about any person."""


class ProviderWrong(Exception):
    """What the provider says of itself is not what was configured."""


class Endpoints(BaseModel):
    """The part of the discovery document that is used. All addresses are https, or on this machine."""

    issuer: str
    authorization_endpoint: Address
    token_endpoint: Address
    jwks_uri: Address
    userinfo_endpoint: Address | None = None
    end_session_endpoint: Address | None = None
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]


def endpoints_of(provider: Provider) -> Endpoints:
    """Return the provider's endpoints. Raises ProviderUnavailable, ProviderWrong."""
    name = f"oidc:endpoints:{_short(provider.issuer)}"
    document = cache.get(name)
    if document is None:
        document = get_json(f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
    try:
        found = Endpoints.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ProviderWrong(f"{provider.issuer}: its discovery document: {first['loc']}: {first['msg']}") from error
    if found.issuer != provider.issuer:
        raise ProviderWrong(f"the discovery document of {provider.issuer} is of the issuer {found.issuer}")
    cache.set(name, document, ENDPOINTS_SECONDS)
    return found


def key_for(provider: Provider, token: str) -> jwt.PyJWK:
    """Return the published key that the token's header names.

    Raises jwt.InvalidTokenError if there is none, ProviderUnavailable, ProviderWrong.
    """
    header = jwt.get_unverified_header(token)
    if header.get("alg") not in provider.algorithms:
        raise jwt.InvalidAlgorithmError(
            f"it is signed by {header.get('alg')!r}, which is not among the algorithms of {provider.id}"
        )
    name = f"oidc:keys:{_short(provider.issuer)}"
    published = cache.get(name)
    key = _pick(published, header) if published is not None else None
    if key is None and (published is None or _may_look_again(provider)):
        published = get_json(endpoints_of(provider).jwks_uri)
        cache.set(name, published, KEYS_SECONDS)
        key = _pick(published, header)
    if key is None:
        raise jwt.InvalidTokenError(f"it is signed with the key {header.get('kid')!r}, which {provider.issuer} does not publish")
    return key


def get_json(address: str, **options: Any) -> Any:
    """GET a JSON document, without following redirects. Raises ProviderUnavailable."""
    try:
        answer = requests.get(address, timeout=settings.SOCIALACCOUNT_REQUESTS_TIMEOUT, allow_redirects=False, **options)
        answer.raise_for_status()
        if answer.is_redirect:
            raise ProviderUnavailable(f"{address} answers with a redirect")
        return answer.json()
    except requests.RequestException as error:
        raise ProviderUnavailable(f"{address}: {error}") from error


def _pick(published: Any, header: dict[str, Any]) -> jwt.PyJWK | None:
    """The key of this id for this algorithm; without an id, the only one that there is."""
    keys = published.get("keys") if isinstance(published, dict) else None
    if not isinstance(keys, list):
        raise ProviderUnavailable("the provider's keys are no set of keys")
    usable = [each for each in keys if isinstance(each, dict) and each.get("use", "sig") == "sig" and each.get("kty") != "oct"]
    if "kid" in header:
        usable = [each for each in usable if each.get("kid") == header["kid"]]
    if len(usable) != 1:
        return None
    return jwt.PyJWK(usable[0], algorithm=usable[0].get("alg") or header.get("alg"))


def _may_look_again(provider: Provider) -> bool:
    name = f"oidc:looks:{_short(provider.issuer)}"
    cache.add(name, 0, 60)
    try:
        return int(cache.incr(name)) <= LOOKS_PER_MINUTE
    except ValueError:  # it ended in between
        return True


def _short(issuer: str) -> str:
    return hashlib.sha256(issuer.encode()).hexdigest()[:24]
