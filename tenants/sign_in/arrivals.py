"""What a completed sign-in by a provider leaves behind: memberships as its claims say, and the means to ask it again."""

import time
from datetime import timedelta
from typing import Any

from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from tenants.models import User
from tenants.session_age import end_after
from tenants.sign_in import configuration
from tenants.sign_in.claims import wanted_roles
from tenants.sign_in.memberships import apply_claims
from tenants.sign_in.models import ProviderSession
from tenants.sign_in.schema import Provider

SESSION_NAME = "provider_session"
"""Under which the portal's session remembers the row; the row in turn knows the session's key."""


@transaction.atomic
def arrive(request: HttpRequest, user: User, login: SocialLogin) -> None:
    """Note a sign-in that is complete, second factor included. The tokens of `login` are sealed already."""
    provider = configuration.provider(login.account.provider)
    if provider is None:  # taken out of the file while a second factor was asked for
        return
    claims: dict[str, Any] = login.account.extra_data
    apply_claims(user, provider_id=provider.id, wanted=wanted_roles(claims, provider))
    session = _remember(request, login, provider)
    request.session[SESSION_NAME] = session.pk
    if session.due_at is None:
        # Nothing to ask with: the person signs in again, which asks.
        end_after(request.session, seconds=provider.session_hours * 3600, now=int(time.time()))


def _remember(request: HttpRequest, login: SocialLogin, provider: Provider) -> ProviderSession:
    if not request.session.session_key:
        request.session.save()
    account: SocialAccount = login.account
    token, now = login.token, timezone.now()
    # Of sign-ins whose session is over one is enough to ask with, and this one is newer.
    account.sessions.filter(session_key="").delete()
    return ProviderSession.objects.create(
        account=account,
        session_key=request.session.session_key or "",
        sid=str(account.extra_data.get("sid") or "")[:255],
        sealed_id_token=token.token if token else "",
        sealed_refresh_token=token.token_secret if token else "",
        began_at=now,
        confirmed_at=now,
        due_at=now + timedelta(minutes=provider.recheck_minutes) if token and token.token_secret else None,
    )


def follow_session(request: HttpRequest) -> None:
    """Note the session's new key: Django gives it one when the password changes."""
    pk = request.session.get(SESSION_NAME)
    if pk is not None:
        ProviderSession.objects.filter(pk=pk).update(session_key=request.session.session_key or "")
