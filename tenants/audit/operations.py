"""Writing the audit log: called by the operation that does the thing, within its transaction: both are there, or neither."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import timezone

from tenants.audit.kinds import KINDS
from tenants.audit.models import AuditEvent
from tenants.audit.origin import present_origin
from tenants.models import Tenant, User


@dataclass(frozen=True, slots=True)
class Subject:
    """What something was done to: e.g. Subject("instance", "i-4f9x", "Dragon")."""

    kind: str
    id: str = ""
    name: str = ""

    @classmethod
    def account(cls, user: User) -> "Subject":
        """Name a person's account; a member of a team is named by `tenants.team.operations.about`."""
        return cls("person", str(user.pk), user.get_username())


NOTHING = Subject("")


def record(
    kind: str,
    *,
    actor: User | None,
    tenant: Tenant | None = None,
    subject: Subject = NOTHING,
    details: Mapping[str, object] | None = None,
) -> AuditEvent:
    """Append one event; from where comes from the present origin.

    `kind`: subject and verb, e.g. "member.role_changed"; KeyError unless `tenants.audit.kinds` has words for it. `details`: what
    JSON can hold, e.g. {"from": "member", "to": "admin"}; never a secret. `actor`: None for the portal itself.
    """
    if kind not in KINDS:
        raise KeyError(kind)
    origin = present_origin()
    return AuditEvent.objects.create(
        at=timezone.now(),
        tenant=tenant,
        actor=actor,
        behind_id=origin.behind,
        kind=kind,
        subject_kind=subject.kind,
        subject_id=subject.id[:64],
        subject_name=subject.name[:200],
        details=dict(details or {}),
        via=origin.channel,
        address=origin.address or None,
        token=origin.token,
    )
