"""What people ask of volumes."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from engines.auditing import record_volume
from engines.errors import NameTaken, Unavailable
from engines.models import Volume
from engines.operations.locks import lock_tenant
from engines.states import InstanceState
from tenants import access
from tenants.errors import NotAllowed, NotVisible
from tenants.models import Membership


@transaction.atomic
def trash_volume(*, volume: Volume, by: Membership) -> None:
    """Put a kept volume into the trash, from which it is purged after `settings.TRASH_DAYS`."""
    volume = _lock_for(volume, by)
    holder = volume.instances.exclude(state=InstanceState.DELETED).first()
    if holder is not None:
        raise Unavailable(_("“%(volume)s” is in use by %(instance)s.") % {"volume": volume.name, "instance": holder.name})
    purge_at = timezone.now() + timedelta(days=settings.TRASH_DAYS)
    active = Volume.objects.filter(pk=volume.pk, state=Volume.State.ACTIVE)
    if active.update(state=Volume.State.TRASHED, purge_at=purge_at):
        record_volume("volume.trashed", volume, by, until=purge_at.isoformat(timespec="seconds"))


@transaction.atomic
def restore_volume(*, volume: Volume, by: Membership) -> None:
    """Take a volume out of the trash; it is attached to nothing until somebody launches with it."""
    lock_tenant(by.tenant_id)
    volume = _lock_for(volume, by)
    namesake = volume.tenant.volumes.filter(state=Volume.State.ACTIVE, name__iexact=volume.name).exclude(pk=volume.pk)
    if namesake.exists():
        raise NameTaken(
            _("There is another volume named “%(name)s” now. Trash or rename that one first.") % {"name": volume.name}
        )
    trashed = Volume.objects.filter(pk=volume.pk, state=Volume.State.TRASHED)
    if trashed.filter(purge_at__lte=Now()).exists():
        raise Unavailable(_("“%(name)s” can no longer be restored: its time in the trash is over.") % {"name": volume.name})
    if trashed.update(state=Volume.State.ACTIVE, purge_at=None):
        record_volume("volume.restored", volume, by)


def _lock_for(volume: Volume, by: Membership) -> Volume:
    rows = Volume.objects.select_for_update(of=("self",), no_key=True).select_related("tenant")
    found = rows.filter(pk=volume.pk, tenant_id=by.tenant_id).exclude(state=Volume.State.DELETED).first()
    if found is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    if not access.may_operate(by, owner_id=found.owner_id):
        raise NotAllowed(_("Only its owner or an admin of %(tenant)s may do this.") % {"tenant": by.tenant})
    return found
