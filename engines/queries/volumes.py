"""Durable data of a tenant: in use, kept and in the trash."""

from dataclasses import dataclass

from django.db.models import Prefetch
from django.utils.translation import gettext as _

from engines.models import Instance, Volume
from engines.rights import owns, rights_of
from engines.states import InstanceState
from tenants import access
from tenants.errors import NotVisible
from tenants.models import Membership


@dataclass(frozen=True)
class VolumeRow:
    """A volume, the instance that holds it if any, and whether the person may look after it and see what is on it."""

    volume: Volume
    holder: Instance | None
    operate: bool
    see_files: bool

    @property
    def place(self) -> str:
        """Which list it belongs to: trash, used or kept."""
        if self.volume.state == Volume.State.TRASHED:
            return "trash"
        return "used" if self.holder else "kept"


def volume_rows(membership: Membership) -> list[VolumeRow]:
    """Return the tenant's volumes that still exist, by name; three queries."""
    alive = Instance.objects.exclude(state=InstanceState.DELETED).select_related("tenant")
    volumes = (
        Volume.objects.filter(tenant_id=membership.tenant_id)
        .exclude(state=Volume.State.DELETED)
        .select_related("owner", "cluster", "written_by__engine")
        .prefetch_related(Prefetch("instances", queryset=alive, to_attr="holders"))
    )
    rights = rights_of(membership, [holder for volume in volumes for holder in volume.holders])
    return [
        VolumeRow(
            volume,
            next(iter(volume.holders), None),
            operate=access.may_operate(membership, owner_id=volume.owner_id),
            see_files=owns(membership, volume) or any(rights[holder.pk].visit for holder in volume.holders),
        )
        for volume in volumes
    ]


def attachable_volumes(membership: Membership) -> list[Volume]:
    """Return kept volumes that the member may launch with."""
    return [row.volume for row in volume_rows(membership) if row.place == "kept" and row.operate]


def volume_of(instance: Instance) -> Volume:
    """Return the volume of an instance with what a page shows of it; one query."""
    return Volume.objects.select_related("owner", "cluster", "written_by__engine").get(pk=instance.volume_id)


def holder_of(volume: Volume) -> Instance | None:
    """Return the instance that has the volume now, with its engine version, if any has."""
    return volume.instances.exclude(state=InstanceState.DELETED).select_related("tenant", "engine_version__engine").first()


def volume_in(membership: Membership, slug: str) -> Volume:
    """Return one volume of the member's tenant; NotVisible for strangers', deleted and unknown ones alike."""
    volumes = Volume.objects.filter(tenant_id=membership.tenant_id, slug=slug)
    volume = volumes.exclude(state=Volume.State.DELETED).select_related("owner", "cluster", "written_by__engine").first()
    if volume is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    return volume
