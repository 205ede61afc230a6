"""Instances: list, read, launch, change, delete."""

from collections.abc import Sequence
from typing import Annotated, Literal

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext as _
from ninja import Path, Query, Router, Status
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.openapi import IF_MATCH
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import Input, Name, Page, Slug
from engines.api.preconditions import unchanged
from engines.api.shapes import InstanceOut, owner_filter, show, shown, version_of
from engines.models import GpuClass, Instance
from engines.models.run import TAG_LENGTH
from engines.operations import instances as operations
from engines.operations.tags import change_tag
from engines.queries.choices import Launchable, launchable
from engines.queries.instances import InstanceRow, instance_in, with_details
from engines.queries.launching import offered_engines, suggested_name
from engines.queries.phases import queue_position
from engines.rights import rights_of
from engines.states import InstanceState
from tenants import access
from tenants.access import Action
from tenants.access_tokens.scopes import Scope
from tenants.errors import NotAllowed
from tenants.models import Membership

router = Router(tags=["Instances"])
READ, WRITE = needs(Scope.INSTANCES_READ), needs(Scope.INSTANCES_WRITE)
State = Literal["queued", "provisioning", "starting", "running", "stopping", "stopped", "failed", "deleting"]


class InstanceFilter(Paging):
    """Which instances are wanted; all that is given has to fit."""

    state: list[State] = Field([], description="Any of these states.")
    owner: str = Field("", max_length=150, description="A username, or `me`.")
    name: str = Field("", max_length=60, description="The whole name, in any case.")
    engine: str = Field("", max_length=40, description="An engine's slug.")
    gpu_class: str = Field("", max_length=40, description="A GPU class's slug.")
    project: str | None = Field(None, max_length=TAG_LENGTH, description="The whole name; empty for what is for none.")


class LaunchIn(Input):
    """What to launch; with `volume` on data that is kept, without on new data."""

    engine: Slug
    version: str = Field("", max_length=40, description="Empty: the one that is recommended.")
    gpu_class: Slug
    name: str = Field("", max_length=60, description="Empty: one is made up.")
    volume: str = Field("", max_length=20, description="Kept data to attach, by id.")
    size_gib: int = Field(50, ge=1, le=10_000, description="Of new data.")
    project: str = Field("", max_length=TAG_LENGTH, description="What its costs are for; empty: nothing in particular.")


class ChangeIn(Input):
    """What to change; what is left out stays."""

    name: Name | None = None
    gpu_class: Slug | None = Field(None, description="Used from the next start on; refused while the present one is held.")
    project: str | None = Field(None, max_length=TAG_LENGTH, description="What its costs are for from now on; empty for none.")


@router.get("/instances", auth=READ, response=Page[InstanceOut], summary="List instances")
def list_instances(request: ApiRequest, tenant: Path[str], wanted: Query[InstanceFilter]) -> dict[str, object]:
    """Return the tenant's instances, newest first."""
    membership = member(request, tenant)
    found = _filtered(membership, wanted)

    def rows(instances: Sequence[Instance]) -> list[InstanceOut]:
        rights = rights_of(membership, instances)
        return shown([InstanceRow(each, rights[each.pk]) for each in instances])

    return page(found, wanted, by="-created_at", show=rows)


@router.post("/instances", auth=WRITE, response={201: InstanceOut}, summary="Launch an engine")
def launch_instance(request: ApiRequest, tenant: Path[str], wanted: LaunchIn, response: HttpResponse) -> Status[InstanceOut]:
    """Ask for a running engine. It is there at once, and runs when its `state` says so: read it again until then."""
    membership = member(request, tenant)
    access.require(membership, Action.LAUNCH)
    chosen = _chosen(membership, wanted)
    instance = operations.launch_instance(
        membership=membership,
        engine_version=chosen.version,
        gpu_class=chosen.gpu_class,
        name=wanted.name.strip() or suggested_name(membership, chosen.version.engine),
        volume=chosen.volume,
        size_gib=wanted.size_gib,
        tag=wanted.project,
    )
    response["Location"] = f"{request.path.rstrip('/')}/{instance.slug}"
    return Status(201, answered(request, membership, instance.slug))


@router.get("/instances/{slug:instance}", auth=READ, response=InstanceOut, summary="Read an instance")
def get_instance(request: ApiRequest, tenant: Path[str], instance: Path[str]) -> InstanceOut:
    """Return one instance: its state, why it is in it, why it is still on, and when it stops."""
    return answered(request, member(request, tenant), instance)


@router.patch(
    "/instances/{slug:instance}",
    auth=WRITE,
    response=InstanceOut,
    summary="Rename, change GPU class or project",
    openapi_extra=IF_MATCH,
)
def change_instance(request: ApiRequest, tenant: Path[str], instance: Path[str], wanted: ChangeIn) -> InstanceOut:
    """Change what is given, all of it or nothing."""
    membership = member(request, tenant)
    row = instance_in(membership, instance)
    gpu_class = None if wanted.gpu_class is None else GpuClass.objects.filter(slug=wanted.gpu_class, hidden=False).first()
    with unchanged(request, membership, row, wanted_class=gpu_class), transaction.atomic():
        if wanted.gpu_class is not None:  # first, since it locks slots, which come before the instance
            if gpu_class is None:
                raise invalid("body", "gpu_class", _("There is no such GPU class on offer."))
            operations.change_gpu_class(instance=row.instance, by=membership, gpu_class=gpu_class)
        if wanted.name is not None:
            operations.rename_instance(instance=row.instance, by=membership, name=wanted.name)
        if wanted.project is not None:
            change_tag(instance=row.instance, by=membership, tag=wanted.project)
    return answered(request, membership, instance)


@router.delete(
    "/instances/{slug:instance}", auth=WRITE, response={202: InstanceOut}, summary="Delete an instance", openapi_extra=IF_MATCH
)
def delete_instance(
    request: ApiRequest,
    tenant: Path[str],
    instance: Path[str],
    data: Annotated[Literal["keep", "trash"], Query(description="What becomes of its data.")] = "keep",
) -> Status[InstanceOut]:
    """Ask for its end. It is gone when reading it answers 404; until then its state says how far that is."""
    membership = member(request, tenant)
    row = instance_in(membership, instance)
    with unchanged(request, membership, row):
        operations.delete_instance(instance=row.instance, by=membership, keep_volume=data == "keep")
    return Status(202, answered(request, membership, instance))


def answered(request: ApiRequest, membership: Membership, slug: str) -> InstanceOut:
    """Return the instance as it is now, and name what If-Match would compare."""
    row = instance_in(membership, slug)
    request.etag_prefix = version_of(row.instance)
    return show(row).model_copy(update={"queue_position": queue_position(row.instance)})


def require_operate(membership: Membership, row: InstanceRow) -> None:
    """Refuse whoever may not operate it, before what they send is looked at."""
    if not row.rights.operate:
        raise NotAllowed(_("Only its owner or an admin of %(tenant)s may do this.") % {"tenant": membership.tenant})


def _filtered(membership: Membership, wanted: InstanceFilter) -> QuerySet[Instance]:
    found = with_details(Instance.objects.visible_to(membership))
    if wanted.state:
        found = found.filter(state__in=[InstanceState(each) for each in wanted.state])
    if wanted.owner:
        found = found.filter(**owner_filter(membership, wanted.owner))
    if wanted.name:
        found = found.filter(name__iexact=wanted.name)
    if wanted.engine:
        found = found.filter(engine_version__engine__slug=wanted.engine)
    if wanted.project is not None:
        found = found.filter(tag=wanted.project)
    return found.filter(gpu_class__slug=wanted.gpu_class) if wanted.gpu_class else found


def _chosen(membership: Membership, wanted: LaunchIn) -> Launchable:
    """Find what exactly these choices name; Problem with the field that names nothing on offer."""
    offer = next((each for each in offered_engines() if each.engine.slug == wanted.engine), None)
    if offer is None:
        raise invalid("body", "engine", _("There is no such engine on offer."))
    version = wanted.version or offer.versions[0].version
    if version not in {each.version for each in offer.versions}:
        raise invalid("body", "version", _("There is no such version on offer."))
    storage = "attach" if wanted.volume else "new"
    choices = {"engine": wanted.engine, "version": version, "gpu_class": wanted.gpu_class}
    chosen = launchable(membership, choices | {"storage": storage, "volume": wanted.volume})
    if chosen is None:
        raise invalid("body", "gpu_class", _("It cannot be had for this version now. See the GPU classes on offer."))
    if wanted.volume and chosen.volume is None:
        raise invalid("body", "volume", _("This data cannot be attached now. Choose other data."))
    return chosen
