"""Asking providers whether the people whom they signed in are still theirs.

A refresh token is redeemed every so often. A refusal by `invalid_grant` (RFC 6749 §5.2) ends the session; where the token
outlives the provider's sessions it tells that the person is gone, and what the provider gave lapses. Whatever else goes wrong
says nothing about anybody: it is tried again.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import requests
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from requests.auth import HTTPBasicAuth

from aigc_portal.sealing import Unreadable, seal, unseal
from tenants.sign_in import configuration
from tenants.sign_in.claims import wanted_roles
from tenants.sign_in.discovery import ProviderUnavailable, ProviderWrong, endpoints_of
from tenants.sign_in.memberships import apply_claims, lapse
from tenants.sign_in.models import ProviderSession
from tenants.sign_in.schema import Provider
from tenants.sign_in.sessions import end_sessions, is_live
from tenants.sign_in.tokens import TokenRefused, verify_id_token
from tenants.sign_in.userinfo import claims_of

log = logging.getLogger(__name__)

BATCH = 1000
AGAIN_AFTER = timedelta(minutes=5)


class Gone(Exception):
    """The provider says that the grant holds no more."""


def recheck_due(*, now: datetime, still: Callable[[], bool] = lambda: True) -> int:
    """Ask for all that are due, one after another while `still` says so; return how many were asked for."""
    asked = 0
    for pk in ProviderSession.objects.filter(due_at__lte=now).order_by("due_at").values_list("pk", flat=True)[:BATCH]:
        # Claimed first, so that no other worker asks with the same token: it may count once.
        if still() and ProviderSession.objects.filter(pk=pk, due_at__lte=now).update(due_at=now + AGAIN_AFTER):
            recheck(pk, now=now)
            asked += 1
    return asked


def recheck(pk: int, *, now: datetime) -> None:
    """Ask the provider about one sign-in, and do as it says."""
    session = ProviderSession.objects.select_related("account__user").filter(pk=pk).first()
    provider = configuration.provider(session.account.provider) if session else None
    if provider is None and not configuration.is_usable():
        return  # the file cannot be read now, which says nothing of any provider: it is tried again
    if session is None or provider is None or not _is_needed(session, provider):
        ProviderSession.objects.filter(pk=pk).delete()
        return
    try:
        claims, refresh_token = ask(provider, refresh_token=unseal(session.sealed_refresh_token), subject=session.account.uid)
    except (Gone, TokenRefused) as error:
        log.info("%s vouches no more for %s: %s", provider.id, session.account.uid, error)
        _leave(session, provider)
    except (ProviderUnavailable, ProviderWrong, Unreadable, OSError, KeyError) as error:
        log.warning("%s was not asked about %s: %r", provider.id, session.account.uid, error)
    else:
        _stay(session, provider, claims, refresh_token, now)


def ask(provider: Provider, *, refresh_token: str, subject: str) -> tuple[dict[str, Any], str]:
    """Return the person's present claims and the next refresh token.

    Raises Gone, TokenRefused for an ID token that is wrong or of somebody else, ProviderUnavailable, ProviderWrong.
    """
    answer = _redeem(provider, refresh_token)
    access_token = str(answer.get("access_token", ""))
    known: dict[str, Any] = {"sub": subject}
    if answer.get("id_token"):
        known = verify_id_token(str(answer["id_token"]), provider=provider, nonce=None)
        if known["sub"] != subject:
            raise TokenRefused("the ID token of a refresh is of somebody else")
    claims = claims_of(provider, id_claims=known, access_token=access_token)
    return claims, str(answer.get("refresh_token") or refresh_token)


def _redeem(provider: Provider, refresh_token: str) -> dict[str, Any]:
    endpoints, secret = endpoints_of(provider), configuration.client_secret(provider)
    data = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    basic = (
        provider.client_authentication or _preferred(endpoints.token_endpoint_auth_methods_supported)
    ) == "client_secret_basic"
    auth = HTTPBasicAuth(provider.client_id, secret) if basic and secret else None
    data |= {} if auth else {"client_id": provider.client_id} | ({"client_secret": secret} if secret else {})
    try:
        answer = requests.post(
            endpoints.token_endpoint, data=data, auth=auth, timeout=settings.SOCIALACCOUNT_REQUESTS_TIMEOUT, allow_redirects=False
        )
        said = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise ProviderUnavailable(f"{endpoints.token_endpoint}: {error}") from error
    if isinstance(said, dict) and answer.status_code == requests.codes.ok:
        return said
    refusal = said.get("error") if isinstance(said, dict) else None
    if refusal == "invalid_grant":
        raise Gone(str(said.get("error_description", refusal)))
    raise ProviderUnavailable(f"{endpoints.token_endpoint} answers {answer.status_code} {refusal}")


def _preferred(methods: list[str]) -> str:
    """As allauth chooses for the exchange of codes: basic authentication where the other is not offered."""
    return (
        "client_secret_basic"
        if "client_secret_post" not in methods and "client_secret_basic" in methods
        else "client_secret_post"
    )


def _is_needed(session: ProviderSession, provider: Provider) -> bool:
    """Whether anything hangs on the answer: a session that lives, or memberships that this is the newest grant of."""
    if is_live(session.session_key):
        return True
    newer = ProviderSession.objects.filter(account=session.account, pk__gt=session.pk).exists()
    return provider.vouches and not newer


@transaction.atomic
def _stay(session: ProviderSession, provider: Provider, claims: dict[str, Any], refresh_token: str, now: datetime) -> None:
    session.sealed_refresh_token = seal(refresh_token)
    session.confirmed_at = now
    session.due_at = now + timedelta(minutes=provider.recheck_minutes)
    session.save(update_fields=["sealed_refresh_token", "confirmed_at", "due_at"])
    if claims.keys() - {"sub"}:  # a refresh need not bring an ID token (Core 1.0 §12.2): then it tells only that it holds
        apply_claims(session.account.user, provider_id=provider.id, wanted=wanted_roles(claims, provider))


@transaction.atomic
def _leave(session: ProviderSession, provider: Provider) -> None:
    user = session.account.user
    ended = Q(account=session.account) if provider.vouches else Q(pk=session.pk)
    keys = ProviderSession.objects.filter(ended).values_list("session_key", flat=True)
    end_sessions(user, list(keys), by=None, why="provider")
    ProviderSession.objects.filter(ended).delete()
    if provider.vouches:
        lapse(user, provider_id=provider.id)
