"""What the database says of a caller and an instance."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib import import_module

import redis
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from engines.activity.classes import NO_RULES, Rules, rules_of
from engines.activity.families import activity_of
from engines.clusters.names import SLUG_PATTERN
from engines.models import Instance
from engines.release.marking import clear, yields_to_use
from engines.rights import require_visit
from engines.states import InstanceState
from gateway import handoff
from gateway.callers import ApiClient, Caller, TokenFacts, Visitor
from gateway.models import ApiToken
from gateway.waiting import is_coming, is_reachable, resting_sentence, retry_seconds
from tenants import access
from tenants.errors import NotAllowed, NotVisible
from tenants.models import Membership, User


class Verdict(StrEnum):
    """What a visitor with a genuine pass, or a program with an API token, may expect."""

    SIGNED_OUT = "signed out"  # the portal's session behind the pass has ended; the token is unknown, revoked or over
    NOT_VISIBLE = "not visible"
    NOT_ALLOWED = "not allowed"
    RESTING = "resting"  # may visit, but the engine does not run
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Standing:
    """The verdict; `upstream` (host:port) when running, `state` and `retry_seconds` when resting, `message` for people if not.

    `rules` tell the engine's requests apart; `releasing` says that its GPU is about to be given back unless somebody uses it.
    `coming` says that a resting instance will run without anybody doing anything; `token` is what is known of a live API token.
    """

    verdict: Verdict
    upstream: str = ""
    state: str = ""
    message: str = ""
    rules: Rules = field(default=NO_RULES, compare=False)
    releasing: bool = False
    retry_seconds: int = 0
    coming: bool = False
    token: TokenFacts | None = None


class Unavailable(Exception):
    """Database or Valkey cannot be asked: nobody is let in on a guess."""


def look_up(slug: str, caller: Caller) -> Standing:
    """Ask the portal's session or the token, then the person's rights, then the instance. Raises Unavailable."""
    try:
        return _token_standing(slug, caller) if isinstance(caller, ApiClient) else _standing(slug, _signed_in(caller))
    except (DatabaseError, redis.RedisError) as error:
        raise Unavailable from error


def look_up_in_thread(slug: str, caller: Caller) -> Standing:
    """As look_up, and give the thread's database connection back."""
    try:
        return look_up(slug, caller)
    finally:
        close_old_connections()


def stay_in_thread(slug: str) -> bool:
    """Take a release that has begun back, because somebody uses the engine; False if it was too late. Raises Unavailable."""
    try:
        return clear(slug)
    except DatabaseError as error:
        raise Unavailable from error
    finally:
        close_old_connections()


def find_visit(slug: str, user: User) -> tuple[Instance, Membership]:
    """The instance and the membership by which the person may visit it. Raises NotVisible or NotAllowed."""
    related = Instance.objects.select_related("tenant", "owner", "engine_version__engine", "use")
    named = related.filter(slug=slug).exclude(state=InstanceState.DELETED)
    # Asked only for what can be a name: PostgreSQL takes not every text that an address can hold.
    instance = named.first() if SLUG_PATTERN.fullmatch(slug) else None
    # Asked of a tenant that there cannot be, too: what is elsewhere must not take longer to refuse than what is nowhere.
    membership = access.membership_in(user, instance.tenant.slug if instance else "")
    if instance is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    require_visit(membership, instance)
    return instance, membership


def find_token_visit(slug: str, token: ApiToken) -> tuple[Instance, Membership]:
    """As find_visit, for a program with this live token: its maker's rights, within what the token is bound to."""
    instance, membership = find_visit(slug, token.made_by)
    within = token.tenant_id == instance.tenant_id and token.membership_id == membership.pk
    if not within or token.instance_id not in {None, instance.pk}:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    return instance, membership


def live_token(digest: str) -> ApiToken | None:
    """The token with its maker, unless it is unknown or has ended; one query."""
    return ApiToken.objects.live().select_related("made_by").filter(digest=digest).first()


def _token_standing(slug: str, client: ApiClient) -> Standing:
    token = live_token(client.digest)
    if token is None:
        return Standing(Verdict.SIGNED_OUT)
    facts = TokenFacts(token.pk, token.may_wake, tuple(token.rules), tuple(token.networks))
    return replace(_outcome(lambda: find_token_visit(slug, token)[0]), token=facts)


def _standing(slug: str, user: User | None) -> Standing:
    return Standing(Verdict.SIGNED_OUT) if user is None else _outcome(lambda: find_visit(slug, user)[0])


def _outcome(find: Callable[[], Instance]) -> Standing:
    try:
        instance = find()
    except NotVisible as refusal:
        return Standing(Verdict.NOT_VISIBLE, message=str(refusal))
    except NotAllowed as refusal:
        return Standing(Verdict.NOT_ALLOWED, message=str(refusal))
    if is_reachable(instance):
        version = instance.engine_version
        rules = rules_of(activity_of(version.engine.family, version.activity))
        return Standing(Verdict.RUNNING, upstream=instance.upstream, rules=rules, releasing=yields_to_use(instance))
    return Standing(
        Verdict.RESTING,
        state=instance.state,
        message=resting_sentence(instance),
        retry_seconds=retry_seconds(instance, now=timezone.now()),
        coming=is_coming(instance),
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
