"""What is asked of an instance: each route is one operation, answered by the instance as it then is."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.utils.translation import gettext as _
from ninja import Path, Router
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.openapi import IF_MATCH
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import Input
from engines.api.instances import answered, require_operate
from engines.api.preconditions import unchanged
from engines.api.shapes import InstanceOut
from engines.models.idle import LONGEST_MINUTES
from engines.operations import idle as release
from engines.operations import instances as operations
from engines.operations import sharing
from engines.queries.instances import instance_in
from engines.queries.sharing import others_who_may
from tenants.access import Action
from tenants.access_tokens.scopes import Scope

router = Router(tags=["Instances"])
WRITE = needs(Scope.INSTANCES_WRITE)


class KeepIn(Input):
    """For how long to keep it on, used or not."""

    minutes: int = Field(60, ge=1, le=LONGEST_MINUTES)


class WhenFreeIn(Input):
    """Whether to release it as soon as its queue is empty."""

    wanted: bool = True


class HandOverIn(Input):
    """To whom."""

    to: str = Field(max_length=150, description="A member's username.")


@router.post("/pause", auth=WRITE, response=InstanceOut, summary="Pause", openapi_extra=IF_MATCH)
def pause_instance(request: ApiRequest, tenant: Path[str], instance: Path[str]) -> InstanceOut:
    """Give the GPU back and keep the data; does nothing if that was asked already."""
    return _act(request, tenant, instance, operations.pause_instance)


@router.post("/resume", auth=WRITE, response=InstanceOut, summary="Resume", openapi_extra=IF_MATCH)
def resume_instance(request: ApiRequest, tenant: Path[str], instance: Path[str]) -> InstanceOut:
    """Run again, also after a failure; does nothing if it runs or is on its way. Whoever may visit may wake it."""
    return _act(request, tenant, instance, operations.resume_instance)


@router.post("/restart", auth=WRITE, response=InstanceOut, summary="Restart", openapi_extra=IF_MATCH)
def restart_instance(request: ApiRequest, tenant: Path[str], instance: Path[str]) -> InstanceOut:
    """Run afresh on the same data."""
    return _act(request, tenant, instance, operations.restart_instance)


@router.post("/cancel", auth=WRITE, response=InstanceOut, summary="Cancel a launch", openapi_extra=IF_MATCH)
def cancel_launch(request: ApiRequest, tenant: Path[str], instance: Path[str]) -> InstanceOut:
    """Stop coming up; refused once the engine runs, where pausing is the word."""
    return _act(request, tenant, instance, operations.cancel_launch)


@router.post("/keep", auth=WRITE, response=InstanceOut, summary="Keep on", openapi_extra=IF_MATCH)
def keep_instance(request: ApiRequest, tenant: Path[str], instance: Path[str], wanted: KeepIn) -> InstanceOut:
    """Keep it on for a while, though never for longer than its rule allows: `stay.kept_until` says until when."""
    keep = partial(release.keep_instance, duration=timedelta(minutes=wanted.minutes))
    return _act(request, tenant, instance, keep)


@router.post("/when-free", auth=WRITE, response=InstanceOut, summary="Release when free", openapi_extra=IF_MATCH)
def release_when_free(request: ApiRequest, tenant: Path[str], instance: Path[str], wanted: WhenFreeIn) -> InstanceOut:
    """Give the GPU back as soon as the engine has nothing to do, or take that back."""
    return _act(request, tenant, instance, partial(release.release_when_free, wanted=wanted.wanted))


@router.post("/hand-over", auth=WRITE, response=InstanceOut, summary="Hand over", openapi_extra=IF_MATCH)
def hand_over_instance(request: ApiRequest, tenant: Path[str], instance: Path[str], wanted: HandOverIn) -> InstanceOut:
    """Give the instance and its data to another member for good; all shares end."""
    membership = member(request, tenant)
    row = instance_in(membership, instance)
    require_operate(membership, row)
    to = others_who_may(Action.LAUNCH, row.instance).filter(username=wanted.to).first()
    if to is None:
        raise invalid("body", "to", _("There is no such member whose role allows to use engines."))
    return _act(request, tenant, instance, partial(sharing.hand_over_instance, to=to))


def _act(request: ApiRequest, tenant: Path[str], slug: str, operation: Callable[..., object]) -> InstanceOut:
    membership = member(request, tenant)
    row = instance_in(membership, slug)
    with unchanged(request, membership, row):
        operation(instance=row.instance, by=membership)
    return answered(request, membership, slug)
