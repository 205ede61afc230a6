"""Who did what in a tenant, for who may read its audit log."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Literal

from ninja import Path, Query, Router
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.schemas import Output, Page
from tenants import access
from tenants.access import Action
from tenants.access_tokens.scopes import Scope
from tenants.audit.models import AuditEvent
from tenants.audit.queries import Wanted, events_of

router = Router(tags=["Audit log"])
READ = needs(Scope.AUDIT_READ)


class AuditEventOut(Output):
    """One thing that somebody did."""

    id: int
    at: datetime
    kind: str = Field(description="Subject and verb, e.g. member.role_changed.")
    actor: str | None = Field(description="Null: the portal itself, or somebody unknown whose sign-in failed.")
    behind: str | None = Field(description="The operator who acted as the actor.")
    subject_kind: str
    subject_id: str
    subject_name: str
    details: dict[str, Any] = Field(description="What changed.")
    via: str = Field(description="portal, api, admin, gateway or system.")
    address: str | None
    token: str


class AuditFilter(Paging):
    """What to look for; what is empty does not matter."""

    who: str = Field("", max_length=150, description="A username, of the person or of the operator behind.")
    what: str = Field("", max_length=60, description="A kind, or the first part of several.")
    thing: str = Field("", max_length=200, description="Part of its name, or its whole id.")
    via: Literal["", "portal", "api", "admin", "gateway", "system"] = ""
    since: date | None = Field(None, description="The first day, in UTC.")
    until: date | None = Field(None, description="The last day, in UTC.")


@router.get("/audit", auth=READ, response=Page[AuditEventOut], summary="Read the audit log")
def list_audit_events(request: ApiRequest, tenant: Path[str], wanted: Query[AuditFilter]) -> dict[str, object]:
    """Return what was done in the tenant, newest first."""
    membership = member(request, tenant)
    access.require(membership, Action.SEE_AUDIT)
    asked = Wanted(wanted.who, wanted.what, wanted.thing, wanted.since, wanted.until, wanted.via)
    return page(asked.of(events_of(membership.tenant)), wanted, by="-at", show=_shown)


def _shown(rows: Sequence[AuditEvent]) -> list[AuditEventOut]:
    return [
        AuditEventOut(
            id=each.pk,
            at=each.at,
            kind=each.kind,
            actor=each.actor.username if each.actor else None,
            behind=each.behind.username if each.behind else None,
            subject_kind=each.subject_kind,
            subject_id=each.subject_id,
            subject_name=each.subject_name,
            details=each.details,
            via=each.via,
            address=each.address,
            token=each.token,
        )
        for each in rows
    ]
