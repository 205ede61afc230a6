"""API tokens as pages show them."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from engines.addresses import engine_origin
from engines.models import Instance
from gateway.api_tokens.samples import Sample, samples_for
from gateway.models import ApiToken
from gateway.standing import find_visit
from tenants import access
from tenants.access import Action
from tenants.errors import PortalError
from tenants.models import Membership

ENDED_SHOWN = timedelta(days=30)


@dataclass(frozen=True)
class ApiAccess:
    """What one member sees of the API tokens of an instance, or of the whole tenant."""

    membership: Membership
    instance: Instance | None
    tokens: list[ApiToken]
    may_make: bool
    samples: list[Sample]


def api_access(membership: Membership, instance: Instance | None, *, secret: str = "") -> ApiAccess:
    """Return the tokens that the member may revoke, and samples with the engine's true address."""
    manageable = manageable_tokens(membership)
    tokens = list(manageable.filter(instance=instance) if instance else manageable)
    tokens = [token for token in tokens if not _ended_long_ago(token)]
    tokens.sort(key=lambda token: token.has_ended)
    example = instance or Instance.objects.visible_to(membership).filter(owner_id=membership.user_id).first()
    samples = samples_for(engine_origin(example.slug), secret) if example else []
    return ApiAccess(membership, instance, tokens, _may_make(membership, instance), samples)


def manageable_tokens(membership: Membership) -> QuerySet[ApiToken]:
    """The tenant's tokens that operations.may_manage grants the member, newest first."""
    tokens = ApiToken.objects.filter(tenant_id=membership.tenant_id).select_related("made_by", "revoked_by", "instance")
    if access.may(membership, Action.OPERATE_ALL):
        return tokens
    return tokens.filter(Q(made_by_id=membership.user_id) | Q(instance__owner_id=membership.user_id))


def _may_make(membership: Membership, instance: Instance | None) -> bool:
    if instance is None:
        return access.may(membership, Action.VISIT)
    try:
        find_visit(instance.slug, membership.user)
    except PortalError:
        return False
    return True


def _ended_long_ago(token: ApiToken) -> bool:
    return min(token.revoked_at or token.expires_at, token.expires_at) < timezone.now() - ENDED_SHOWN
