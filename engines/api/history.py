"""What happened to an instance, and what its engine writes."""

from collections.abc import Sequence
from datetime import datetime

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from ninja import Path, Query, Router
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.problems import Problem
from aigc_portal.api.schemas import Input, Output, Page
from engines.models import Instance, InstanceEvent
from engines.queries.instances import InstanceRow, instance_in
from engines.queries.logs import PAGE_BYTES, log_of
from engines.queries.timeline import entry_of
from engines.sending.logs import FollowedLog
from engines.states import RESTING, InstanceState
from tenants.access_tokens.scopes import Scope
from tenants.errors import NotAllowed

router = Router(tags=["Instances"])
READ = needs(Scope.INSTANCES_READ)
AWAY = {"x-problems": [503]}
STREAM = {"responses": {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}}


class EventOut(Output):
    """One wish, transition or note."""

    id: int
    at: datetime
    kind: str = Field(description="wish, transition or note.")
    code: str
    sentence: str
    actor: str | None = Field(description="Who asked for it; null: the portal itself.")
    state: str | None = Field(description="The state that it led to, if it is a transition.")
    failure: bool
    evidence: str


class LogOut(Output):
    """A part of the log. It may end in the middle of a line."""

    text: str
    cursor: str = Field(description="Send it as `cursor` to read on.")
    ended: bool = Field(description="The engine does not run, so that nothing will follow.")


class LogPart(Input):
    """Which part of the log is wanted."""

    cursor: str = Field("", max_length=500, description="Of the part before; empty for the last `tail_bytes`.")
    tail_bytes: int = Field(PAGE_BYTES, ge=1, le=1024 * 1024)


class LogFrom(Input):
    """From where on to follow the log."""

    cursor: str = Field("", max_length=500)


@router.get("/events", auth=READ, response=Page[EventOut], summary="List events")
def list_events(request: ApiRequest, tenant: Path[str], instance: Path[str], paging: Query[Paging]) -> dict[str, object]:
    """Return what happened to the instance, newest first."""
    row = instance_in(member(request, tenant), instance)
    events = InstanceEvent.objects.filter(instance=row.instance).select_related("actor")

    def shown(found: Sequence[InstanceEvent]) -> list[EventOut]:
        return [_shown(each, operate=row.rights.operate) for each in found]

    return page(events, paging, by="-id", show=shown)


@router.get("/log", auth=READ, response=LogOut, summary="Read the log", openapi_extra=AWAY)
def read_log(request: ApiRequest, tenant: Path[str], instance: Path[str], wanted: Query[LogPart]) -> LogOut:
    """Return the end of the engine's log, or what came since a cursor; for whoever may visit the engine."""
    found = _readable(request, tenant, instance).instance
    chunk = log_of(found).read(wanted.cursor, tail_bytes=wanted.tail_bytes)
    if chunk is None:
        raise Problem("away", _("The cluster does not answer. Try again in a moment."), headers={"Retry-After": "5"})
    return LogOut(text=chunk.text, cursor=chunk.cursor, ended=_has_ended(found))


@router.get("/log/stream", auth=READ, response=None, summary="Follow the log", openapi_extra=STREAM)
def follow_log(request: ApiRequest, tenant: Path[str], instance: Path[str], wanted: Query[LogFrom]) -> HttpResponseBase:
    """Send what the engine writes as server-sent events: `data` is text as JSON, `id` the cursor to go on from.

    It ends after a minute. Whoever follows comes back with the last id as `Last-Event-ID`, as browsers do by themselves.
    """
    source = log_of(_readable(request, tenant, instance).instance)
    return FollowedLog(source, request.headers.get("Last-Event-ID") or wanted.cursor)


def _readable(request: ApiRequest, tenant: str, slug: str) -> InstanceRow:
    row = instance_in(member(request, tenant), slug)
    if not row.rights.visit:
        raise NotAllowed(_("Only its owner, and whoever it is shared with, may read the log."))
    return row


def _has_ended(instance: Instance) -> bool:
    return instance.state in RESTING - {InstanceState.RUNNING}


def _shown(event: InstanceEvent, *, operate: bool) -> EventOut:
    entry = entry_of(event)
    return EventOut(
        id=event.pk,
        at=event.at,
        kind=event.kind,
        code=event.reason,
        sentence=str(entry.sentence),
        actor=event.actor.username if event.actor else None,
        state=event.new_state or None,
        failure=entry.failure,
        evidence=entry.detail or (entry.evidence if operate else ""),
    )
