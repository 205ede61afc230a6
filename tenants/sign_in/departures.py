"""Signing out at the provider too, and being signed out by it.

OpenID Connect RP-Initiated Logout 1.0, Back-Channel Logout 1.0.
"""

import logging
from collections import defaultdict
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.urls import reverse

from aigc_portal.sealing import Unreadable, unseal
from tenants.models import User
from tenants.sign_in import configuration
from tenants.sign_in.arrivals import SESSION_NAME
from tenants.sign_in.discovery import ProviderUnavailable, ProviderWrong, endpoints_of
from tenants.sign_in.models import ProviderSession
from tenants.sign_in.schema import Provider
from tenants.sign_in.sessions import end_sessions

log = logging.getLogger(__name__)


def sign_out_address(session: SessionBase) -> str:
    """Return where the provider ends its own session, and leads back from; nothing for a session that no provider began.

    A provider that does not answer keeps nobody from signing out here.
    """
    pk = session.get(SESSION_NAME)
    found = ProviderSession.objects.select_related("account").filter(pk=pk).first() if isinstance(pk, int) else None
    provider = configuration.provider(found.account.provider) if found else None
    if found is None or provider is None or not provider.sign_out_there:
        return ""
    try:
        endpoint = endpoints_of(provider).end_session_endpoint
        id_token = unseal(found.sealed_id_token) if found.sealed_id_token else ""
    except (ProviderUnavailable, ProviderWrong, Unreadable) as error:
        log.warning("nobody is signed out at %s: %s", provider.id, error)
        return ""
    if endpoint is None:
        return ""
    query = {"client_id": provider.client_id, "post_logout_redirect_uri": f"{settings.PORTAL_ORIGIN}{reverse('account_login')}"}
    query |= {"id_token_hint": id_token} if id_token else {}
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def signed_out_there(claims: dict[str, Any], provider: Provider) -> int:
    """End what a logout token ends: the provider's session `sid`, else all of the person `sub`. Return how many sessions."""
    found = ProviderSession.objects.select_related("account__user").filter(account__provider=provider.id)
    if claims.get("sub"):
        found = found.filter(account__uid=claims["sub"])
    if claims.get("sid"):
        found = found.filter(sid=claims["sid"])
    keys: dict[User, list[str]] = defaultdict(list)
    for each in found:
        keys[each.account.user].append(each.session_key)
    return sum(end_sessions(user, of, by=None, why="provider") for user, of in keys.items())
