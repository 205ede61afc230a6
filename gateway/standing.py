"""What the database says of a visitor and an instance."""

from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import NamedTuple

import redis
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from engines.clusters.names import SLUG_PATTERN
from engines.models import Instance
from engines.states import InstanceState
from gateway import handoff
from gateway.waiting import is_reachable, retry_seconds, waiting_sentence
from tenants import access
from tenants.access import Action
from tenants.errors import NotAllowed, NotVisible
from tenants.models import Membership, User


class Verdict(StrEnum):
    """What a visitor with a genuine pass may expect."""

    SIGNED_OUT = "signed out"  # the portal's session behind the pass has ended
    NOT_VISIBLE = "not visible"
    NOT_ALLOWED = "not allowed"
    RESTING = "resting"  # may visit, but the engine does not run
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Standing:
    """The verdict; `upstream` (host:port) when running, `state` and `retry_seconds` when resting, `message` for people if not."""

    verdict: Verdict
    upstream: str = ""
    state: str = ""
    message: str = ""
    retry_seconds: int = 0


class Visitor(NamedTuple):
    """Who a pass says is visiting."""

    user_id: int
    session: str


class Unavailable(Exception):
    """Database or Valkey cannot be asked: nobody is let in on a guess."""


def look_up(slug: str, visitor: Visitor) -> Standing:
    """Ask the portal's session, then tenants.access, then the instance. Raises Unavailable."""
    try:
        return _standing(slug, visitor)
    except (DatabaseError, redis.RedisError) as error:
        raise Unavailable from error


def look_up_in_thread(slug: str, visitor: Visitor) -> Standing:
    """As look_up, and give the thread's database connection back."""
    try:
        return look_up(slug, visitor)
    finally:
        close_old_connections()


def find_visit(slug: str, user: User) -> tuple[Instance, Membership]:
    """The instance and the membership by which the person may visit it. Raises NotVisible or NotAllowed."""
    named = Instance.objects.select_related("tenant").filter(slug=slug).exclude(state=InstanceState.DELETED)
    # Asked only for what can be a name: PostgreSQL takes not every text that an address can hold.
    instance = named.first() if SLUG_PATTERN.fullmatch(slug) else None
    if instance is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    membership = access.membership_in(user, instance.tenant.slug)
    access.require(membership, Action.VISIT)
    return instance, membership


def _standing(slug: str, visitor: Visitor) -> Standing:
    user = _signed_in(visitor)
    if user is None:
        return Standing(Verdict.SIGNED_OUT)
    try:
        instance = find_visit(slug, user)[0]
    except NotVisible as refusal:
        return Standing(Verdict.NOT_VISIBLE, message=str(refusal))
    except NotAllowed as refusal:
        return Standing(Verdict.NOT_ALLOWED, message=str(refusal))
    if is_reachable(instance):
        return Standing(Verdict.RUNNING, upstream=instance.upstream)
    return Standing(
        Verdict.RESTING,
        state=instance.state,
        message=waiting_sentence(instance),
        retry_seconds=retry_seconds(instance, now=timezone.now()),
    )


def _signed_in(visitor: Visitor) -> User | None:
    """The person, if the session still exists and is still theirs: not after signing out or a change of password."""
    try:
        key = handoff.session_key_of(visitor.session)
    except LookupError:
        return None
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key=key).load()
    if session.get(SESSION_KEY) != str(visitor.user_id):
        return None
    user = User.objects.filter(pk=visitor.user_id, is_active=True).first()
    if user is None:
        return None
    known = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return user if any(constant_time_compare(session.get(HASH_SESSION_KEY, ""), each) for each in known) else None
