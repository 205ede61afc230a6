"""Who may see and do what; the only place that answers."""

from enum import StrEnum

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from tenants.audit.origin import present_origin
from tenants.errors import NotAllowed, NotVisible
from tenants.models import Membership, Role, Tenant, User


class Action(StrEnum):
    """What a person may want to do within a tenant."""

    SEE = "see"  # instances, their state and timeline
    LAUNCH = "launch"
    VISIT = "visit"  # enter engines of one's own, and those that are shared with one
    TAKE_FILES = "take_files"  # look into one's own data and take it away, also while the tenant is to be deleted
    OPERATE = "operate"  # pause, resume, restart, rename, delete, read the log of one's own instance
    OPERATE_ALL = "operate_all"  # the same for everybody's instances
    SEE_COSTS = "see_costs"  # everybody's; one's own are always visible
    SEE_TEAM = "see_team"  # who is in the tenant, and in which role
    MANAGE_MEMBERS = "manage_members"  # invite, change roles, remove; an owner's role is the owners' alone to give and take
    MANAGE_TENANT = "manage_tenant"  # rename, sign-in, delete
    MANAGE_LIMITS = "manage_limits"  # within what operators grant the tenant
    MANAGE_TOKENS = "manage_tokens"  # service tokens, and the end of anybody's
    MANAGE_BUDGETS = "manage_budgets"
    MANAGE_WEBHOOKS = "manage_webhooks"
    SEE_AUDIT = "see_audit"


_LOOK = frozenset({Action.SEE, Action.SEE_TEAM})
_WORK = _LOOK | {Action.LAUNCH, Action.VISIT, Action.TAKE_FILES, Action.OPERATE}
_ENTERING = frozenset({Action.VISIT, Action.TAKE_FILES})
_EVERYTHING = frozenset(Action)
_LOOKING = _LOOK | {Action.SEE_COSTS, Action.SEE_AUDIT}
_ALLOWED: dict[str, frozenset[Action]] = {
    Role.OWNER: frozenset(Action),
    Role.ADMIN: frozenset(Action) - {Action.MANAGE_TENANT},
    Role.MEMBER: _WORK,
    Role.FINANCE: _LOOK | {Action.SEE_COSTS, Action.MANAGE_BUDGETS},
    Role.VIEWER: _LOOK,
}


def tenants_of(user: User) -> QuerySet[Tenant]:
    """Return the tenants the person belongs to, suspended ones included, by name."""
    return Tenant.objects.filter(memberships__user=user, memberships__lapsed_at=None).order_by("name")


def membership_in(user: User, tenant_slug: str) -> Membership:
    """Return the person's membership with its tenant; NotVisible for strangers and unknown slugs alike.

    Inactive people are strangers, and so are those for whom their provider vouches no more.
    """
    found = (
        Membership.objects.select_related("tenant")
        .filter(user_id=user.pk, user__is_active=True, lapsed_at=None, tenant__slug=tenant_slug)
        .first()
    )
    if found is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    return found


def operator_may(user: User | AnonymousUser, permission: str) -> bool:
    """Tell whether this is active staff of ours with the Django permission, e.g. "engines.change_instance"."""
    return user.is_active and user.is_staff and user.has_perm(permission)


def as_operator(user: User, tenant: Tenant, *, permission: str) -> Membership:
    """Return what lets one of our own staff act in any tenant: an owner's membership that is never saved.

    NotAllowed unless the person is active staff with the Django permission, e.g. "engines.change_instance". A suspended tenant
    is no obstacle: somebody has to pause what it runs.
    """
    if not operator_may(user, permission):
        raise NotAllowed(_("Only operators with the right to do this may act in other people's tenants."))
    membership = Membership(user=user, tenant=tenant, role=Role.OWNER)
    membership.is_operator = True
    return membership


def may(membership: Membership, action: Action) -> bool:
    """Tell whether the member may do this in the tenant; in one that stands still looking is all that is left to members.

    Operators look after other people's engines, and never enter them: not as themselves, nor while they look as somebody.
    """
    if action in _ENTERING and (membership.is_operator or present_origin().behind is not None):
        return False
    if membership.is_operator:
        return action in _ALLOWED[membership.role]
    return action in _left(membership.tenant) and action in _ALLOWED[membership.role]


def _left(tenant: Tenant) -> frozenset[Action]:
    """What the tenant's standing leaves to its members: before a deletion, to take one's files along, and to take it back."""
    if tenant.suspended_at is not None or tenant.deleted_at is not None:
        return _LOOKING
    return _LOOKING | {Action.MANAGE_TENANT, Action.TAKE_FILES} if tenant.deletion_due_at is not None else _EVERYTHING


def allowed_to(role: str) -> frozenset[Action]:
    """Return what members with the role may do."""
    return _ALLOWED[role]


def roles_that_may(action: Action) -> frozenset[str]:
    """Return the roles whose members may do this."""
    return frozenset(role for role, allowed in _ALLOWED.items() if action in allowed)


def people_who_may(action: Action, *, tenant_id: int) -> QuerySet[User]:
    """Return the members of a tenant whose role allows this, whatever the state of the tenant; for telling them of something."""
    return User.objects.filter(memberships__tenant=tenant_id, memberships__role__in=roles_that_may(action))


def may_operate(membership: Membership, *, owner_id: int) -> bool:
    """Tell whether the member may operate an instance of this owner."""
    action = Action.OPERATE if owner_id == membership.user_id else Action.OPERATE_ALL
    return may(membership, action)


def require(membership: Membership, action: Action) -> None:
    """Refuse with NotAllowed what `may` does not allow."""
    if may(membership, action):
        return
    sentence = _("Your role in %(tenant)s does not allow this.")
    if action in _ALLOWED[membership.role] and membership.tenant.suspended_at is not None:
        sentence = _("%(tenant)s is suspended. Its data is kept.")
    elif action in _ALLOWED[membership.role] and not membership.tenant.is_open:
        sentence = _("%(tenant)s is to be deleted. Until then nothing changes in it.")
    raise NotAllowed(sentence % {"tenant": membership.tenant})
