"""Setting limits and lifting them. Operators set ceilings; owners and admins of the tenant set theirs within.

All under the lock of the tenant, so that no launch counts by the old limit while the new one is written.
"""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants import access
from tenants.access import Action
from tenants.audit.operations import Subject, record
from tenants.errors import NotAllowed, NotVisible
from tenants.models import Membership, Role, Tenant
from tenants.quotas.ceilings import lowest_ceiling
from tenants.quotas.measures import Scope, shown
from tenants.quotas.models import Quota
from tenants.quotas.refusal import BeyondCeiling
from tenants.team.locks import lock_for


@transaction.atomic
def set_quota(*, by: Membership, scope: Scope, limit: int | None) -> Quota:
    """Let it be at most so much, in the units of `Measure`; None: no limit where another would hold by itself.

    What operators set for a whole tenant is its ceiling. Raises BeyondCeiling where a tenant sets itself more than that.
    """
    by = lock_for(by)
    access.require(by, Action.MANAGE_LIMITS)
    tenant = by.tenant
    author = Quota.Author.OPERATOR if by.is_operator and scope.whole_tenant else Quota.Author.TENANT
    return _write(tenant, by, author, scope, limit)


@transaction.atomic
def raise_own_limit(*, by: Membership, scope: Scope, limit: int) -> None:
    """Raise what the tenant has set for itself, or for a person, to at least so much; where there is no limit, none is made."""
    by = lock_for(by)
    access.require(by, Action.MANAGE_LIMITS)
    tenant = by.tenant
    require_within(tenant, scope, limit)
    present = own_limit(tenant, scope)
    if present is not None and present < limit:
        _write(tenant, by, Quota.Author.TENANT, scope, limit)


def _write(tenant: Tenant, by: Membership, author: Quota.Author, scope: Scope, limit: int | None) -> Quota:
    if author == Quota.Author.TENANT:
        _require_known(tenant, scope)
        require_within(tenant, scope, limit)
    present = _quotas(tenant, author, scope).first()
    if present is not None and present.limit == limit:
        return present
    former = present.limit if present else None
    quota = present or Quota(
        tenant=tenant,
        author=author,
        measure=scope.measure,
        role=scope.role,
        user_id=scope.user_id,
        gpu_class_id=scope.gpu_class_id,
    )
    quota.limit, quota.set_by, quota.set_at = limit, by.user, timezone.now()
    quota.save()
    record("quota.set", actor=by.user, tenant=tenant, subject=_subject(quota), details={"from": former, "to": limit})
    return quota


@transaction.atomic
def remove_quota(*, by: Membership, quota: Quota) -> None:
    """Take a limit away: a default, the role's or none holds from then on. Does nothing if it is gone already."""
    by = lock_for(by)
    access.require(by, Action.MANAGE_LIMITS)
    tenant = by.tenant
    found = tenant.quotas.filter(pk=quota.pk).select_related("user", "gpu_class").first()
    if found is None:
        return
    if found.author == Quota.Author.OPERATOR and not by.is_operator:
        raise NotAllowed(_("Operators have set this limit. Ask them for more."))
    subject = _subject(found)
    found.delete()
    record("quota.removed", actor=by.user, tenant=tenant, subject=subject, details={"from": found.limit})


def own_limit(tenant: Tenant, scope: Scope) -> int | None:
    """Return what the tenant has set for itself, or for a person, whose role's limit holds where they have none of their own."""
    own = _quotas(tenant, Quota.Author.TENANT, scope).first()
    if own is not None or scope.user_id is None:
        return own.limit if own else None
    role = tenant.memberships.filter(user=scope.user_id).values_list("role", flat=True).first()
    of_role = _quotas(tenant, Quota.Author.TENANT, Scope(scope.measure, scope.gpu_class_id, role=role)).first() if role else None
    return of_role.limit if of_role else None


def require_within(tenant: Tenant, scope: Scope, limit: int | None) -> None:
    """Refuse with BeyondCeiling more than operators let the tenant have."""
    ceiling = lowest_ceiling(tenant, scope.measure, scope.gpu_class_id)
    if limit is not None and ceiling is not None and limit > ceiling:
        raise BeyondCeiling(
            _("Operators let %(tenant)s have at most %(ceiling)s. Only they can raise that.")
            % {"tenant": tenant, "ceiling": shown(scope.measure, ceiling)}
        )


def _require_known(tenant: Tenant, scope: Scope) -> None:
    if scope.role and scope.role not in Role.values:
        raise NotVisible(_("There is no such role."))
    if scope.user_id is not None and not tenant.memberships.filter(user=scope.user_id).exists():
        raise NotVisible(_("There is no such member."))


def _quotas(tenant: Tenant, author: str, scope: Scope) -> QuerySet[Quota]:
    return tenant.quotas.filter(
        author=author, measure=scope.measure, role=scope.role, user=scope.user_id, gpu_class=scope.gpu_class_id
    )


def _subject(quota: Quota) -> Subject:
    """Name it as the log shows it: what, on which class, for whom."""
    parts = (quota.measure, quota.gpu_class, quota.role, quota.user)
    return Subject("quota", str(quota.pk), " · ".join(str(part) for part in parts if part))
