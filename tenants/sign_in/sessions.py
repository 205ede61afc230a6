"""Ending sessions: the portal's, and with them those of engines, whose passes stand on them."""

from collections.abc import Iterable
from importlib import import_module

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db import transaction

from tenants.audit.operations import NOTHING, record
from tenants.models import User
from tenants.rights import announce_rights_on_commit
from tenants.sign_in.models import ProviderSession


@transaction.atomic
def end_sessions(user: User, keys: Iterable[str], *, by: User | None, why: str) -> int:
    """End the person's sessions with these keys; return how many there were.

    `by`: who ended them, None for the portal itself; `why`: for the audit log, e.g. "revoked".
    """
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    ended = [key for key in set(keys) if key and store.exists(key)]
    for key in ended:
        store.delete(key)
    UserSession.objects.filter(user=user, session_key__in=ended).delete()
    ProviderSession.objects.filter(account__user=user, session_key__in=ended).update(session_key="", sealed_id_token="")
    if ended:
        details = {"number": len(ended), "why": why}
        record("account.sessions_ended", actor=by or user, subject=NOTHING, details=details)
        announce_rights_on_commit()
    return len(ended)


def is_live(key: str) -> bool:
    """Whether a session of this key is there."""
    return bool(key) and bool(import_module(settings.SESSION_ENGINE).SessionStore().exists(key))
