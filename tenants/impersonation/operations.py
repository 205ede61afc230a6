"""Beginning and ending a look as somebody; who may, and for how long. Each is in the audit log of the person's tenants."""

import secrets
from dataclasses import replace
from datetime import datetime

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.utils.translation import gettext as _

from tenants.audit.models import AuditEvent
from tenants.audit.operations import Subject, record
from tenants.errors import NotAllowed, PortalError
from tenants.impersonation import looking
from tenants.impersonation.looking import Looking
from tenants.models import Tenant, User

REASON_LENGTH = 200


class NoReason(PortalError):
    """Nobody looks as somebody else without saying why."""


@transaction.atomic
def start_looking(*, operator: User, person: User, reason: str, session: SessionBase, now: datetime) -> Looking:
    """Let the operator see the portal as this person sees it, for half an hour. Raises NotAllowed, NoReason."""
    if not looking.may_look(operator):
        raise NotAllowed(_("Only operators with the right to do this may look as somebody else."))
    if not looking.can_be_looked_as(person):
        raise NotAllowed(_("Nobody can look as %(person)s: the account is an operator’s, or closed.") % {"person": person})
    reason = " ".join(reason.split())[:REASON_LENGTH]
    if not reason:
        raise NoReason(_("Say why: it is written into the audit log of the person’s team."))
    stop_looking(operator=operator, session=session, why="another")
    until = (now + looking.LIMIT).isoformat(timespec="seconds")
    begun = Looking(secrets.token_hex(8), operator.pk, person.pk, reason, until)
    looking.keep(session, begun)
    _record("impersonation.started", operator, person, look=begun.key, reason=reason, until=until)
    return begun


@transaction.atomic
def start_acting(*, operator: User, session: SessionBase, now: datetime) -> None:
    """Let the operator change things in the person's name, too, as long as the look lasts. Raises NotAllowed."""
    present = looking.looking_in(session)
    person = None if present is None else person_of(present, operator, now)
    if present is None or person is None or not looking.may_act(operator):
        raise NotAllowed(_("Only operators with the right to do this may act for somebody else."))
    looking.keep(session, replace(present, acting=True))
    _record("impersonation.acting", operator, person, look=present.key, reason=present.reason, until=present.until)


@transaction.atomic
def stop_looking(*, operator: User | None, session: SessionBase, why: str) -> None:
    """End the look that the session has, if any. `why`: ended, over, signed_out, another, rights."""
    present = looking.looking_in(session)
    if present is None:
        return
    looking.forget(session)
    person = User.objects.filter(pk=present.person_id).first()
    if operator is not None and person is not None and not _has_ended(present):
        _record("impersonation.ended", operator, person, look=present.key, reason=present.reason, why=why)


def person_of(present: Looking, operator: User, now: datetime) -> User | None:
    """Return whom the operator looks as; None once it is over, or either's standing does not allow it any more.

    The audit log has the last word: a request that was under way when a look ended may write the session back as it was.
    """
    if present.is_over(now) or operator.pk != present.operator_id or not looking.may_look(operator) or _has_ended(present):
        return None
    person = User.objects.filter(pk=present.person_id).first()
    return person if person is not None and looking.can_be_looked_as(person) else None


def _has_ended(present: Looking) -> bool:
    of_person = AuditEvent.objects.filter(subject_kind="user", subject_id=str(present.person_id), kind="impersonation.ended")
    return of_person.filter(details__look=present.key).exists()


def _record(kind: str, operator: User, person: User, **details: object) -> None:
    """Once in each of the person's tenants, whose admins are to know; in none if there is none."""
    tenants: list[Tenant | None] = [*Tenant.objects.filter(memberships__user=person).order_by("pk")]
    for tenant in tenants or [None]:
        subject = Subject("user", str(person.pk), person.get_username())
        record(kind, actor=operator, tenant=tenant, subject=subject, details=details)
