"""Times of day at which engines start or stop."""

from datetime import time
from typing import Annotated, Literal

from django.core.exceptions import ValidationError
from ninja import Path, Query, Router, Status
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import Input, Output, Page
from engines.models import Schedule
from engines.models.idle import day_bits
from engines.operations import schedules as operations
from engines.queries.instances import instance_in
from tenants import access
from tenants.access import Action
from tenants.access_tokens.scopes import Scope
from tenants.errors import NotVisible
from tenants.zones import validate_zone

of_instance, of_tenant = Router(tags=["Schedules"]), Router(tags=["Schedules"])
READ, WRITE = needs(Scope.INSTANCES_READ), needs(Scope.INSTANCES_WRITE)
Days = Annotated[list[Annotated[int, Field(ge=0, le=6)]], Field(min_length=1, max_length=7, description="0 is Monday.")]
At = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="HH:MM in its time zone.")]


class ScheduleOut(Output):
    """A time of day on some weekdays."""

    id: int
    instance: str | None = Field(description="Null: all that the tenant runs.")
    action: str = Field(description="start or stop.")
    days: list[int] = Field(description="0 is Monday.")
    at: str
    time_zone: str
    made_by: str


class StopIn(Input):
    """When everything that the tenant runs is to stop, as soon as it is free."""

    days: Days
    at: At
    time_zone: str = Field("UTC", max_length=64, description="IANA name, e.g. Europe/Berlin.")


class ScheduleIn(StopIn):
    """When an instance is to start, or to stop as soon as it is free."""

    action: Literal["start", "stop"]


@of_instance.get("/schedules", auth=READ, response=Page[ScheduleOut], summary="List an instance’s schedules")
def list_instance_schedules(
    request: ApiRequest, tenant: Path[str], instance: Path[str], paging: Query[Paging]
) -> dict[str, object]:
    """Return the instance's own schedules; those of its tenant hold for it too."""
    row = instance_in(member(request, tenant), instance)
    found = Schedule.objects.filter(instance=row.instance).select_related("instance", "made_by")
    return page(found, paging, by="id", show=lambda rows: [_shown(each) for each in rows])


@of_instance.post("/schedules", auth=WRITE, response={201: ScheduleOut}, summary="Schedule a start or stop")
def add_schedule(request: ApiRequest, tenant: Path[str], instance: Path[str], wanted: ScheduleIn) -> Status[ScheduleOut]:
    """Start or stop one instance at a time of day."""
    membership = member(request, tenant)
    row = instance_in(membership, instance)
    made = operations.add_schedule(by=membership, instance=row.instance, schedule=_schedule(wanted, wanted.action))
    return Status(201, _shown(made))


@of_tenant.get("/schedules", auth=READ, response=Page[ScheduleOut], summary="List the tenant’s schedules")
def list_schedules(request: ApiRequest, tenant: Path[str], paging: Query[Paging]) -> dict[str, object]:
    """Return every schedule: those of instances, and those that stop all."""
    membership = member(request, tenant)
    access.require(membership, Action.SEE)
    found = Schedule.objects.filter(tenant_id=membership.tenant_id).select_related("instance", "made_by")
    return page(found, paging, by="id", show=lambda rows: [_shown(each) for each in rows])


@of_tenant.post("/schedules", auth=WRITE, response={201: ScheduleOut}, summary="Schedule a stop of everything")
def add_team_schedule(request: ApiRequest, tenant: Path[str], wanted: StopIn) -> Status[ScheduleOut]:
    """Stop everything that the tenant runs at a time of day."""
    membership = member(request, tenant)
    made = operations.add_schedule(by=membership, instance=None, schedule=_schedule(wanted, Schedule.Action.STOP))
    return Status(201, _shown(made))


@of_tenant.delete("/schedules/{int:schedule}", auth=WRITE, response={204: None}, summary="Remove a schedule")
def remove_schedule(request: ApiRequest, tenant: Path[str], schedule: Path[int]) -> Status[None]:
    """Take it back; what it has begun goes on."""
    membership = member(request, tenant)
    own = Schedule.objects.filter(tenant_id=membership.tenant_id).select_related("instance__tenant")
    found = own.filter(pk=schedule).first() if schedule < 2**63 else None
    if found is None:
        raise NotVisible
    operations.remove_schedule(by=membership, schedule=found)
    return Status(204, None)


def _schedule(wanted: StopIn, action: str) -> Schedule:
    try:
        validate_zone(wanted.time_zone)
    except ValidationError as error:
        raise invalid("body", "time_zone", error.messages[0]) from error
    at = time.fromisoformat(wanted.at)
    return Schedule(action=action, at=at, days=day_bits(wanted.days), time_zone=wanted.time_zone)


def _shown(schedule: Schedule) -> ScheduleOut:
    return ScheduleOut(
        id=schedule.pk,
        instance=schedule.instance.slug if schedule.instance else None,
        action=schedule.action,
        days=sorted(schedule.weekdays),
        at=f"{schedule.at:%H:%M}",
        time_zone=schedule.time_zone,
        made_by=schedule.made_by.username,
    )
