"""What happens to members: each function is one use case in one transaction, under the lock of the tenant.

An ended membership takes along what hangs on it: shares, API tokens, sessions on engines. What the person made stays theirs;
engines of theirs that run are paused (engines.standing), and admins can hand them over.
"""

import uuid
from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from tenants.access import Action, may, require, roles_that_may
from tenants.audit.operations import Subject, record
from tenants.errors import NotAllowed, NotPossible
from tenants.models import Membership, Role, Tenant, User, acting
from tenants.notifications.operations import notify, write_to
from tenants.rights import announce_rights_on_commit
from tenants.standstill import follow_on_commit
from tenants.team.locks import lock_for, lock_tenant, read_again


def may_manage(by: Membership, roles: Iterable[str]) -> bool:
    """Tell whether the member may give and take all of these roles: the owner's role is the owners' alone."""
    return may(by, Action.MANAGE_TENANT if Role.OWNER in roles else Action.MANAGE_MEMBERS)


def require_manage(by: Membership, *roles: str) -> None:
    """Refuse with NotAllowed what `may_manage` does not allow."""
    require(by, Action.MANAGE_MEMBERS)
    if not may_manage(by, roles):
        raise NotAllowed(_("Only an owner of %(tenant)s gives and takes the role of an owner.") % {"tenant": by.tenant})


@transaction.atomic
def change_role(*, member: Membership, by: Membership, role: str) -> None:
    """Give a member another role. Raises NotAllowed, NotVisible, NotPossible (the last owner; a service as owner)."""
    role = Role(role)
    by = lock_for(by)
    member = read_again(member, by.tenant)
    require_manage(by, member.role, role)
    if member.role == role:
        return
    _require_person(member.user, role)
    if member.role == Role.OWNER:
        _require_another_owner(member)
    was = Role(member.role)
    Membership.objects.filter(pk=member.pk).update(role=role)
    record(
        "member.role_changed",
        actor=by.user,
        tenant=by.tenant,
        subject=about(member.user),
        details={"from": was.value, "to": role.value},
    )
    if member.user_id != by.user_id:
        context = {"by": str(by.user), "tenant": by.tenant.name, "role": role.value}
        notify(tenant=by.tenant, kind="role_changed", recipients=[member.user], key=_once(), context=context)
    announce_rights_on_commit()


@transaction.atomic
def remove_member(*, member: Membership, by: Membership) -> None:
    """End somebody's membership. Raises NotAllowed, NotVisible, NotPossible (the last owner)."""
    by = lock_for(by)
    member = read_again(member, by.tenant)
    require_manage(by, member.role)
    _end(member, by=by.user, kind="member.removed")
    if member.user_id != by.user_id and member.user.email and member.user.is_active:
        write_to(
            member.user.email,
            tenant=by.tenant,
            kind="member_removed",
            key=_once(),
            context={"by": str(by.user), "tenant": by.tenant.name},
            language=member.user.language,
        )


@transaction.atomic
def leave(*, member: Membership) -> None:
    """End one's own membership, however the tenant stands. Raises NotPossible (the last owner)."""
    member = read_again(member, lock_tenant(member.tenant_id))
    _end(member, by=member.user, kind="member.left")
    context = {"person": str(member.user)}
    notify(tenant=member.tenant, kind="member_left", recipients=admins_of(member.tenant), key=_once(), context=context)


@transaction.atomic
def add_member(*, user: User, role: str, by: Membership) -> Membership:
    """Make somebody a member without their doing; they are told. Raises NotAllowed, NotPossible (a member already; a service)."""
    role = Role(role)
    by = lock_for(by)
    require_manage(by, role)
    _require_person(user, role)
    member = join(user=user, tenant=by.tenant, role=role)
    record("member.added", actor=by.user, tenant=by.tenant, subject=about(user), details={"role": role.value})
    context = {"by": str(by.user), "tenant": by.tenant.name, "role": role.value}
    notify(tenant=by.tenant, kind="member_added", recipients=[user], key=_once(), context=context)
    return member


def join(*, user: User, tenant: Tenant, role: str) -> Membership:
    """Write a membership, within an operation that has decided on it. Raises NotPossible (a member already)."""
    try:
        with transaction.atomic():
            member = Membership.objects.create(user=user, tenant=tenant, role=role)
    except IntegrityError as error:
        raise NotPossible(_("%(person)s is a member of %(tenant)s already.") % {"person": user, "tenant": tenant}) from error
    announce_rights_on_commit()
    return member


def admins_of(tenant: Tenant) -> list[User]:
    """Return who looks after the members of a tenant."""
    managers = Membership.objects.filter(acting(), tenant=tenant, role__in=roles_that_may(Action.MANAGE_MEMBERS))
    return list(User.objects.filter(memberships__in=managers).order_by("pk"))


def is_last_owner(member: Membership) -> bool:
    """Tell whether nobody else could act as owner of the locked tenant if this member did not."""
    people = Membership.objects.filter(acting(), tenant=member.tenant_id, user__is_service=False)
    others = people.filter(role=Role.OWNER).exclude(pk=member.pk)
    return member.role == Role.OWNER and not others.exists()


def about(user: User) -> Subject:
    """Return a person as what an audit event is about."""
    return Subject("user", str(user.pk), user.get_username())


def _end(member: Membership, *, by: User, kind: str) -> None:
    _require_another_owner(member)
    Membership.objects.filter(pk=member.pk).delete()
    record(kind, actor=by, tenant=member.tenant, subject=about(member.user), details={"role": member.role})
    announce_rights_on_commit()
    follow_on_commit()


def _require_person(user: User, role: Role) -> None:
    """Refuse to make an owner of what a service token acts as: a tenant is owned by people."""
    if user.is_service and role == Role.OWNER:
        raise NotPossible(_("%(service)s is a service. Only people can own a tenant.") % {"service": user})


def _require_another_owner(member: Membership) -> None:
    """Refuse to leave the locked tenant without an owner."""
    if is_last_owner(member):
        raise NotPossible(
            _("%(person)s is the only owner of %(tenant)s. Make somebody else an owner first.")
            % {"person": member.user, "tenant": member.tenant}
        )


def _once() -> str:
    """Return a key for what happens anew each time."""
    return uuid.uuid4().hex
