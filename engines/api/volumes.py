"""Data: volumes in use, kept, and in the trash."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from ninja import Path, Query, Router
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page_of
from aigc_portal.api.schemas import Output, Page, Person
from engines.api.shapes import EngineOut, Named, person
from engines.operations import volumes as operations
from engines.queries.volumes import VolumeRow, volume_in, volume_rows
from tenants import access
from tenants.access import Action
from tenants.access_tokens.scopes import Scope
from tenants.errors import NotVisible
from tenants.models import Membership

router = Router(tags=["Data"])
READ, WRITE = needs(Scope.DATA_READ), needs(Scope.DATA_WRITE)


class VolumeOut(Output):
    """Durable storage that survives its instance."""

    id: str
    name: str
    owner: Person
    place: str = Field(description="used, kept or trash.")
    instance: str | None = Field(description="The instance that has it, by id.")
    cluster: Named
    size_gib: int
    used_bytes: int | None = Field(description="When it was last measured; null if it never was.")
    written_by: EngineOut | None = Field(description="The engine version that wrote it last.")
    created_at: datetime
    purge_at: datetime | None = Field(description="When it leaves the trash, for good.")
    may_operate: bool
    may_see_files: bool


class VolumeFilter(Paging):
    """Which volumes are wanted."""

    place: Literal["", "used", "kept", "trash"] = ""


@router.get("/volumes", auth=READ, response=Page[VolumeOut], summary="List volumes")
def list_volumes(request: ApiRequest, tenant: Path[str], wanted: Query[VolumeFilter]) -> dict[str, object]:
    """Return the tenant's volumes that still exist, by name."""
    rows = [_shown(row) for row in _rows(member(request, tenant)) if wanted.place in {"", row.place}]
    return page_of(rows, wanted, key=lambda row: f"{row.name.casefold()}/{row.id}")


@router.get("/volumes/{slug:volume}", auth=READ, response=VolumeOut, summary="Read a volume")
def get_volume(request: ApiRequest, tenant: Path[str], volume: Path[str]) -> VolumeOut:
    """Return one of them."""
    return _answered(member(request, tenant), volume)


@router.post("/volumes/{slug:volume}/trash", auth=WRITE, response=VolumeOut, summary="Trash a volume")
def trash_volume(request: ApiRequest, tenant: Path[str], volume: Path[str]) -> VolumeOut:
    """Put a kept volume into the trash, from which it is purged at `purge_at`."""
    return _act(member(request, tenant), volume, operations.trash_volume)


@router.post("/volumes/{slug:volume}/restore", auth=WRITE, response=VolumeOut, summary="Restore a volume")
def restore_volume(request: ApiRequest, tenant: Path[str], volume: Path[str]) -> VolumeOut:
    """Take it out of the trash; launch with it to use it."""
    return _act(member(request, tenant), volume, operations.restore_volume)


def _act(membership: Membership, slug: str, operation: Callable[..., None]) -> VolumeOut:
    operation(volume=volume_in(membership, slug), by=membership)
    return _answered(membership, slug)


def _rows(membership: Membership) -> list[VolumeRow]:
    access.require(membership, Action.SEE)
    return volume_rows(membership)


def _answered(membership: Membership, slug: str) -> VolumeOut:
    found = next((row for row in _rows(membership) if row.volume.slug == slug), None)
    if found is None:
        raise NotVisible
    return _shown(found)


def _shown(row: VolumeRow) -> VolumeOut:
    volume = row.volume
    writer = volume.written_by
    return VolumeOut(
        id=volume.slug,
        name=volume.name,
        owner=person(volume.owner),
        place=row.place,
        instance=row.holder.slug if row.holder else None,
        cluster=Named(slug=volume.cluster.slug, name=volume.cluster.name),
        size_gib=volume.size_gib,
        used_bytes=volume.used_bytes,
        written_by=EngineOut(slug=writer.engine.slug, name=writer.engine.name, version=writer.version) if writer else None,
        created_at=volume.created_at,
        purge_at=volume.purge_at,
        may_operate=row.operate,
        may_see_files=row.see_files,
    )
