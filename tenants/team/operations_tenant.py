"""How a tenant begins, is named, stands still and ends: each function is one use case in one transaction.

Deletion has three steps. An owner or an operator asks for it: the tenant stands still, as if it were suspended, and it can be
taken back. When it is due, `end_tenant` takes everybody out and frees the name. The engines' sweep follows with what is there;
the books and the audit log stay.
"""

import logging
import re
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.access import Action, as_operator, require
from tenants.audit.operations import Subject, record
from tenants.errors import NotAllowed, NotPossible
from tenants.models import Membership, Role, Tenant, User
from tenants.names import BadName, readable_name
from tenants.notifications.models import WebhookEndpoint
from tenants.notifications.operations import notify
from tenants.rights import announce_rights_on_commit
from tenants.standstill import follow_on_commit
from tenants.team.locks import lock_for, lock_tenant
from tenants.team.operations import admins_of
from tenants.team.operations_invitations import invite

log = logging.getLogger(__name__)
REASON_LENGTH = 200
RESERVED = frozenset(
    {
        "accounts",
        "admin",
        "api",
        "favicon.ico",
        "gw",
        "healthz",
        "i18n",
        "invitations",
        "looking",
        "metrics",
        "readyz",
        "static",
        "ws",
    }
)
"""First parts of the portal's own addresses, which no tenant's may begin with."""
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
"""A label as in RFC 1123, since clusters name a tenant's namespace by its slug."""


@transaction.atomic
def found_tenant(*, tenant: Tenant, by: User, owner_address: str = "") -> Tenant:
    """Store a new tenant whose slug and limits are set; its first owner is invited. Raises BadName, NotPossible."""
    tenant.name = free_name(tenant.name)
    require_usable_slug(tenant.slug)
    try:
        with transaction.atomic():
            tenant.save(force_insert=True)
    except IntegrityError as error:
        raise BadName(_("Another tenant has this name, or has or had this slug.")) from error
    record("tenant.founded", actor=by, tenant=tenant, subject=_about(tenant))
    if owner_address:
        invite(address=owner_address, role=Role.OWNER, by=as_operator(by, tenant, permission="tenants.add_tenant"))
    return tenant


@transaction.atomic
def rename_tenant(*, by: Membership, name: str) -> None:
    """Give the tenant another name; its slug, and with it every address, stays. Raises NotAllowed, BadName."""
    by = lock_for(by)
    require(by, Action.MANAGE_TENANT)
    if not by.is_operator and not by.tenant.is_open:
        raise NotPossible(_("%(tenant)s is to be deleted. Until then nothing changes in it.") % {"tenant": by.tenant})
    name, was = free_name(name, besides=by.tenant), by.tenant.name
    if name == was:
        return
    try:
        with transaction.atomic():
            Tenant.objects.filter(pk=by.tenant_id).update(name=name)
    except IntegrityError as error:
        raise BadName(_("There is a tenant of this name already.")) from error
    by.tenant.name = name
    record("tenant.renamed", actor=by.user, tenant=by.tenant, subject=_about(by.tenant), details={"from": was})


@transaction.atomic
def suspend_tenant(*, by: Membership, reason: str) -> None:
    """Let members look and do nothing else; what runs is released, and nothing is deleted. Raises NotAllowed, NotPossible."""
    by = _lock_as_operator(by)
    reason = " ".join(reason.split()).rstrip(".")[:REASON_LENGTH]
    if not reason:
        raise NotPossible(_("Say why: the members read it."))
    if by.tenant.suspended_at is not None:
        raise NotPossible(_("%(tenant)s is suspended already.") % {"tenant": by.tenant})
    _write(by, "tenant.suspended", {"reason": reason}, suspended_at=timezone.now(), suspended_reason=reason)
    _tell(by, "tenant_suspended", {"tenant": by.tenant.name, "note": reason})


@transaction.atomic
def resume_tenant(*, by: Membership) -> None:
    """Lift the suspension; engines start again when somebody asks for them. Raises NotAllowed, NotPossible."""
    by = _lock_as_operator(by)
    if by.tenant.suspended_at is None:
        raise NotPossible(_("%(tenant)s is not suspended.") % {"tenant": by.tenant})
    _write(by, "tenant.resumed", {}, suspended_at=None, suspended_reason="")
    if by.tenant.deletion_due_at is None:
        _tell(by, "tenant_resumed", {"tenant": by.tenant.name})


@transaction.atomic
def ask_for_deletion(*, by: Membership, name: str) -> datetime:
    """Have the tenant deleted after the time of grace; `name` is its name, typed to confirm. Returns when it is due.

    Raises NotAllowed, NotPossible.
    """
    by = lock_for(by)
    require(by, Action.MANAGE_TENANT)
    if name.strip() != by.tenant.name:
        raise NotPossible(_("Type the name exactly: %(name)s") % {"name": by.tenant.name})
    if by.tenant.deletion_due_at is not None:
        raise NotPossible(_("%(tenant)s is to be deleted already.") % {"tenant": by.tenant})
    due_at = timezone.now() + timedelta(days=settings.TENANT_GRACE_DAYS)
    _write(by, "tenant.deletion_asked", {"due_at": due_at.isoformat()}, deletion_due_at=due_at)
    _tell(by, "tenant_deletion", {"tenant": by.tenant.name, "by": str(by.user), "ends_at": due_at.isoformat()})
    return due_at


@transaction.atomic
def keep_tenant(*, by: Membership) -> None:
    """Take back that the tenant is to be deleted. Raises NotAllowed, NotPossible (too late)."""
    by = lock_for(by)
    require(by, Action.MANAGE_TENANT)
    due_at = by.tenant.deletion_due_at
    if due_at is None:
        raise NotPossible(_("%(tenant)s is not to be deleted.") % {"tenant": by.tenant})
    if due_at <= timezone.now():
        raise NotPossible(_("It is too late: %(tenant)s is being deleted.") % {"tenant": by.tenant})
    _write(by, "tenant.kept", {}, deletion_due_at=None)
    _tell(by, "tenant_kept", {"tenant": by.tenant.name, "by": str(by.user)})


def end_due_tenants(now: datetime) -> int:
    """End every tenant whose time of grace is over; return how many. One that cannot be ended yet does not keep the others."""
    ended = 0
    for pk in list(Tenant.objects.filter(deleted_at=None, deletion_due_at__lte=now).values_list("pk", flat=True)):
        try:
            ended += end_tenant(pk, now)
        except DatabaseError:
            log.exception("tenant %s could not be ended; the next round tries again", pk)
    return ended


@transaction.atomic
def end_tenant(tenant_id: int, now: datetime) -> bool:
    """Take everybody out of a tenant that is due, and free its name; False if it is not due after all.

    Memberships take along the API tokens and shares that hang on them.
    """
    tenant = Tenant.objects.select_for_update(no_key=True).filter(pk=tenant_id, deleted_at=None, deletion_due_at__lte=now).first()
    if tenant is None:
        return False
    people = list(tenant.memberships.values_list("user__username", "role"))
    for rows in (tenant.memberships, tenant.invitations, tenant.notifications, WebhookEndpoint.objects.filter(tenant=tenant)):
        rows.all().delete()
    Tenant.objects.filter(pk=tenant.pk).update(deleted_at=now)
    record("tenant.deleted", actor=None, tenant=tenant, subject=_about(tenant), details={"members": dict(people)})
    announce_rights_on_commit()
    follow_on_commit()
    return True


def require_usable_slug(slug: str) -> None:
    """Refuse with BadName what cannot be part of addresses: the portal's own words, and what no cluster takes in a name."""
    if slug in RESERVED:
        raise BadName(_("“%(slug)s” is a word of the portal’s own addresses. Choose another slug.") % {"slug": slug})
    if not _LABEL.fullmatch(slug):
        raise BadName(_("A slug has small letters, digits and hyphens, and neither begins nor ends with a hyphen."))


def free_name(name: str, besides: Tenant | None = None) -> str:
    """Return the name as it is stored. Raises BadName for one that cannot be read, or that another tenant has."""
    name = readable_name(name)
    others = Tenant.objects.filter(deleted_at=None, name__iexact=name)
    if besides is not None:
        others = others.exclude(pk=besides.pk)
    if others.exists():
        raise BadName(_("There is a tenant of this name already."))
    return name


def _lock_as_operator(by: Membership) -> Membership:
    if not by.is_operator:
        raise NotAllowed(_("Only operators suspend tenants, and lift it."))
    by.tenant = lock_tenant(by.tenant_id)
    return by


def _write(by: Membership, kind: str, details: Mapping[str, object], **changes: datetime | str | None) -> None:
    """Change how the locked tenant stands: everybody's rights with it, and what it runs."""
    Tenant.objects.filter(pk=by.tenant_id).update(**changes)
    for field, value in changes.items():
        setattr(by.tenant, field, value)
    record(kind, actor=by.user, tenant=by.tenant, subject=_about(by.tenant), details=details)
    announce_rights_on_commit()
    follow_on_commit()


def _tell(by: Membership, kind: str, context: Mapping[str, str]) -> None:
    """Tell who looks after the tenant, but for who did it."""
    people = [each for each in admins_of(by.tenant) if each.pk != by.user_id]
    notify(tenant=by.tenant, kind=kind, recipients=people, key=uuid.uuid4().hex, context=context)


def _about(tenant: Tenant) -> Subject:
    return Subject("tenant", tenant.slug, tenant.name)
