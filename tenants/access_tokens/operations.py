"""What people do with access tokens: each function is one use case in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.text import slugify
from django.utils.translation import gettext as _

from tenants import access
from tenants.access import Action
from tenants.access_tokens.models import AccessToken
from tenants.access_tokens.scopes import Scope, beyond
from tenants.access_tokens.secrets import new_secret
from tenants.audit.operations import Subject, record
from tenants.audit.origin import present_origin
from tenants.errors import NotAllowed, PortalError, QuotaExceeded
from tenants.models import Membership, Role, User
from tenants.notifications.operations import notify
from tenants.rights import announce_rights_on_commit
from tenants.standstill import follow_on_commit
from tenants.team.locks import lock_for

LIVE_LIMIT = 50
"""Living tokens of a person, and service tokens of a tenant, at most."""
USUAL_DAYS = 90
SERVICE_ROLES = (Role.ADMIN, Role.MEMBER, Role.FINANCE, Role.VIEWER)
"""What a service may be; a tenant is owned by people."""


class BadToken(PortalError):
    """The token that is wanted cannot be made like this."""


class Made(NamedTuple):
    """A token, and the text of it that exists nowhere else."""

    token: AccessToken
    secret: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a token shall be. `within`: the token by which it is asked for, beyond which it cannot reach."""

    name: str
    scopes: Sequence[str]
    lifetime: timedelta
    within: AccessToken | None = None


@transaction.atomic
def make_personal_token(*, person: User, membership: Membership | None, wanted: Wanted) -> Made:
    """Make a token that acts as the person: in the tenant of the membership, or in all of theirs."""
    if person.is_service:
        raise NotAllowed(_("Only people can have personal tokens."))
    _require_in_person()
    expires_at = _checked_end(wanted, None if membership is None else membership.tenant_id)
    User.objects.select_for_update(no_key=True).get(pk=person.pk)  # two of a person's tokens are not counted at once
    _require_room(AccessToken.objects.live().filter(kind=AccessToken.Kind.PERSONAL, user=person).count())
    made = _make(AccessToken.Kind.PERSONAL, wanted, expires_at, acting=(person, membership), made_by=person)
    _tell(made.token, person)
    return made


@transaction.atomic
def make_service_token(*, by: Membership, role: str, wanted: Wanted) -> Made:
    """Make a token of the tenant with a user of its own, whose role is at most the maker's."""
    by = lock_for(by)  # so that nobody makes one who has just lost the right; two of a tenant's are not counted at once
    access.require(by, Action.MANAGE_TOKENS)
    if role not in roles_for_services(by):
        raise NotAllowed(_("A service token cannot have a role that may do more than yours."))
    _require_in_person()
    expires_at = _checked_end(wanted, by.tenant_id)
    _require_room(AccessToken.objects.live().filter(kind=AccessToken.Kind.SERVICE, tenant=by.tenant).count())
    membership = Membership.objects.create(tenant=by.tenant, user=_service_user(wanted.name), role=role)
    return _make(AccessToken.Kind.SERVICE, wanted, expires_at, acting=(membership.user, membership), made_by=by.user)


@transaction.atomic
def revoke_access_token(*, token: AccessToken, by: User, membership: Membership | None = None) -> None:
    """End the token for good: its own person may, and with the membership who manages its tenant's tokens.

    A service token's user leaves the tenant with it; what is theirs stays, for an admin to hand over or delete. Does nothing if
    it was revoked already.
    """
    if not may_revoke(by, membership, token):
        raise NotAllowed(_("Only its maker or an admin of the team may do this."))
    if not AccessToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now(), revoked_by=by):
        return
    if token.kind == AccessToken.Kind.SERVICE and token.membership_id is not None:
        Membership.objects.filter(pk=token.membership_id).delete()
        announce_rights_on_commit()
        follow_on_commit()
    record("access_token.revoked", actor=by, tenant=token.tenant, subject=_subject(token))


def may_revoke(by: User, membership: Membership | None, token: AccessToken) -> bool:
    """Tell whether the token is the person's own, or of the tenant whose tokens they manage."""
    if token.kind == AccessToken.Kind.PERSONAL and token.user_id == by.pk:
        return True
    managed = membership is not None and membership.user_id == by.pk and membership.tenant_id == token.tenant_id
    return managed and membership is not None and access.may(membership, Action.MANAGE_TOKENS)


def roles_for_services(by: Membership) -> list[Role]:
    """Return the roles that the member can give a service token: those that may do nothing which their own may not."""
    return [role for role in SERVICE_ROLES if access.allowed_to(role) <= access.allowed_to(by.role)]


def lifetime_within(token: AccessToken, days: int | None) -> timedelta:
    """Return how long a token lives that this one makes: as long as is wanted, but never longer than itself."""
    return min(timedelta(days=USUAL_DAYS if days is None else days), token.expires_at - timezone.now())


def longest_life() -> timedelta:
    """Return for how long a token may live at most."""
    return timedelta(days=settings.ACCESS_TOKEN_DAYS)


def _checked_end(wanted: Wanted, tenant_id: int | None) -> datetime:
    """Return when the token ends; refuse one without a name or scopes, and one that reaches beyond what asks for it."""
    if not wanted.name.strip():
        raise BadToken(_("Give it a name."))
    if not wanted.scopes or any(each not in set(Scope) for each in wanted.scopes):
        raise BadToken(_("Choose what it may be used for."))
    if not timedelta(0) < wanted.lifetime <= longest_life():
        raise BadToken(_("A token lives for %(days)d days at most.") % {"days": settings.ACCESS_TOKEN_DAYS})
    expires_at = timezone.now() + wanted.lifetime
    within = wanted.within
    if within is None:
        return expires_at
    if beyond(wanted.scopes, within.scopes) or within.tenant_id not in {None, tenant_id}:
        raise NotAllowed(_("A token cannot make one that may do more than itself."))
    return min(expires_at, within.expires_at)


def _require_in_person() -> None:
    """Refuse an operator who acts as somebody: a token would act as them for long after."""
    if present_origin().behind is not None:
        raise NotAllowed(_("Nobody can make a token in somebody else’s name."))


def _require_room(living: int) -> None:
    if living >= LIVE_LIMIT:
        raise QuotaExceeded(_("There are %(limit)d access tokens already. Revoke one that is not used.") % {"limit": LIVE_LIMIT})


def _service_user(name: str) -> User:
    """Add a user that nobody can sign in as: it has neither a password nor an address that one could be sent to."""
    label = slugify(name)[:40] or "token"
    user = User(username=f"service-{label}-{get_random_string(6).lower()}", first_name=name, is_service=True)
    user.set_unusable_password()
    user.save()
    return user


def _make(kind: str, wanted: Wanted, expires_at: datetime, *, acting: tuple[User, Membership | None], made_by: User) -> Made:
    user, membership = acting
    secret = new_secret(kind)
    token = AccessToken.objects.create(
        kind=kind,
        user=user,
        tenant=None if membership is None else membership.tenant,
        membership=membership,
        made_by=made_by,
        name=wanted.name.strip(),
        key_id=secret.key_id,
        digest=secret.digest,
        scopes=sorted(set(wanted.scopes)),
        expires_at=expires_at,
    )
    details = {"kind": kind, "scopes": token.scopes, "expires_at": expires_at.isoformat()}
    if membership is not None and kind == AccessToken.Kind.SERVICE:
        details["role"] = membership.role
    record("access_token.made", actor=made_by, tenant=token.tenant, subject=_subject(token), details=details)
    return Made(token, secret.text)


def _tell(token: AccessToken, person: User) -> None:
    """Tell the person in the tenant it is for; of one for all, in the first of theirs."""
    tenant = token.tenant or access.tenants_of(person).first()
    if tenant is not None:
        context = {"name": token.name, "by": person.username}
        notify(tenant=tenant, kind="token_created", recipients=[person], key=token.key_id, subject=token.key_id, context=context)


def _subject(token: AccessToken) -> Subject:
    return Subject("access_token", token.key_id, token.name)
