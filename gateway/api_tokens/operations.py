"""What people do with API tokens: each function is one use case in one transaction."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from engines.models import Instance
from gateway.api_tokens.secrets import new_secret
from gateway.models import ApiToken
from gateway.standing import find_visit
from tenants import access
from tenants.access import Action
from tenants.audit.operations import Subject, record
from tenants.errors import NotAllowed, NotVisible, QuotaExceeded
from tenants.models import Membership
from tenants.notifications.operations import notify
from tenants.rights import announce_rights_on_commit

LIVE_LIMIT = 50


class Made(NamedTuple):
    """A token, and the text of it that exists nowhere else."""

    token: ApiToken
    secret: str


class Wanted(NamedTuple):
    """What a token shall be; rules and networks as limits.read_rule and limits.read_network return them."""

    name: str
    scope: str
    lifetime: timedelta
    rules: Sequence[str] = ()
    networks: Sequence[str] = ()


@transaction.atomic
def make_api_token(*, by: Membership, instance: Instance | None, wanted: Wanted) -> Made:
    """Make a token for one instance that the member may visit, or for all of them."""
    access.require(by, Action.VISIT)
    if instance is not None:
        _require_visit(by, instance)
    # Two of a member's tokens are not counted at once.
    Membership.objects.select_for_update(no_key=True).get(pk=by.pk)
    if ApiToken.objects.live().filter(membership=by).count() >= LIVE_LIMIT:
        raise QuotaExceeded(_("You have %(limit)d API tokens already. Revoke one that is not used.") % {"limit": LIVE_LIMIT})
    secret = new_secret()
    now = timezone.now()
    token = ApiToken.objects.create(
        tenant=by.tenant,
        instance=instance,
        made_by=by.user,
        membership=by,
        name=wanted.name,
        key_id=secret.key_id,
        digest=secret.digest,
        scope=wanted.scope,
        rules=list(wanted.rules),
        networks=list(wanted.networks),
        created_at=now,
        expires_at=now + wanted.lifetime,
    )
    _audit("api_token.made", token, by, scope=wanted.scope, until=token.expires_at.isoformat(timespec="seconds"))
    context = {"name": token.name, "by": by.user.username}
    notify(tenant=by.tenant, kind="token_created", recipients=[by.user], key=token.key_id, subject=token.key_id, context=context)
    return Made(token, secret.text)


@transaction.atomic
def revoke_api_token(*, token: ApiToken, by: Membership) -> None:
    """End the token for good; does nothing if it was revoked already."""
    if not may_manage(by, token):
        raise NotAllowed(_("Only its maker, the engine's owner or an admin of %(tenant)s may do this.") % {"tenant": by.tenant})
    revoked = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now(), revoked_by=by.user)
    if revoked:
        _audit("api_token.revoked", token, by)
        announce_rights_on_commit()


def may_manage(by: Membership, token: ApiToken) -> bool:
    """Whether the member sees the token and may revoke it: its maker, the owner of its instance, who operates all instances."""
    if token.tenant_id != by.tenant_id:
        return False
    owner_id = token.instance.owner_id if token.instance is not None else None
    return by.user_id in {token.made_by_id, owner_id} or access.may(by, Action.OPERATE_ALL)


def _audit(kind: str, token: ApiToken, by: Membership, **details: object) -> None:
    instance = token.instance.slug if token.instance is not None else None
    subject = Subject("apitoken", token.key_id, token.name)
    record(kind, actor=by.user, tenant=by.tenant, subject=subject, details={"instance": instance, **details})


def _require_visit(by: Membership, instance: Instance) -> None:
    found, _membership = find_visit(instance.slug, by.user)
    if found.tenant_id != by.tenant_id:
        raise NotVisible(_("There is nothing here, or it is not yours."))
