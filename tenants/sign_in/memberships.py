"""Memberships from claims: made, changed and taken as a provider says, and lapsed when it vouches for somebody no more.

Those that were given by hand are nobody's business here, and a tenant keeps its last owner.
"""

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from tenants.audit.operations import record
from tenants.models import Membership, Tenant, User
from tenants.rights import announce_rights_on_commit
from tenants.sign_in.schema import RoleName
from tenants.standstill import follow_on_commit
from tenants.team.operations import about, is_last_owner


@transaction.atomic
def apply_claims(user: User, *, provider_id: str, wanted: Mapping[str, RoleName]) -> None:
    """Make the memberships that come from this provider what its claims say: `wanted` is tenant slug → role.

    Slugs that no tenant has are passed over: tenants are made by operators.
    """
    concerned = set(user.memberships.filter(provider=provider_id).values_list("tenant_id", flat=True))
    concerned |= set(Tenant.objects.filter(slug__in=wanted, deleted_at=None).values_list("pk", flat=True))
    # One at a time per tenant, so that two departures cannot both leave the other as the last owner.
    tenants = Tenant.objects.select_for_update(no_key=True).filter(pk__in=concerned).order_by("pk")
    changes = [_settle(user, tenant, provider_id, wanted.get(tenant.slug)) for tenant in tenants]
    if any(changes):
        announce_rights_on_commit()
        follow_on_commit()


@transaction.atomic
def lapse(user: User, *, provider_id: str) -> None:
    """Let nothing be allowed by what came from this provider until the person signs in again. Nothing is deleted."""
    for membership in (
        user.memberships.select_related("tenant").select_for_update(of=("self",)).filter(provider=provider_id, lapsed_at=None)
    ):
        membership.lapsed_at = timezone.now()
        membership.save(update_fields=["lapsed_at"])
        _record("member.lapsed", membership, {"provider": provider_id})
    announce_rights_on_commit()


def _settle(user: User, tenant: Tenant, provider_id: str, role: RoleName | None) -> bool:
    """Make one membership right; tell whether anything changed."""
    present = Membership.objects.filter(user=user, tenant=tenant).first()
    if present is None:
        return role is not None and _give(user, tenant, provider_id, role)
    if present.provider != provider_id:
        return False
    if role is None:
        return _take(present)
    return _change(present, role)


def _give(user: User, tenant: Tenant, provider_id: str, role: RoleName) -> bool:
    membership = Membership.objects.create(user=user, tenant=tenant, role=role, provider=provider_id)
    _record("member.added_by_provider", membership, {"provider": provider_id, "to": role})
    return True


def _take(membership: Membership) -> bool:
    if is_last_owner(membership):
        return False
    _record("member.removed_by_provider", membership, {"provider": membership.provider, "from": membership.role})
    membership.delete()
    return True


def _change(membership: Membership, role: RoleName) -> bool:
    before = (membership.role, membership.lapsed_at)
    membership.lapsed_at = None
    if role != membership.role and not is_last_owner(membership):
        _record("member.role_changed", membership, {"provider": membership.provider, "from": membership.role, "to": role})
        membership.role = role
    if before == (membership.role, membership.lapsed_at):
        return False
    membership.save(update_fields=["role", "lapsed_at"])
    return True


def _record(kind: str, membership: Membership, details: dict[str, object]) -> None:
    record(kind, actor=None, tenant=membership.tenant, subject=about(membership.user), details=details)
