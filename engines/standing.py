"""How tenants and memberships stand, and what must not run any more because of it.

Level-triggered: whatever suspended a tenant, had it deleted or took somebody out of it, the next look makes good what runs.
Nothing is deleted before its tenant is.
"""

import logging
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from engines.models import Instance, InstanceEvent, Volume
from engines.reasons import Reason
from engines.states import DesiredState, InstanceState
from engines.wishes import wish
from tenants.models import Membership, acting, open_for_work

log = logging.getLogger(__name__)


def follow_tenants() -> None:
    """Release what runs in tenants that stand still and for people who left; delete what deleted tenants had."""
    for rows, desired_state, reason in (
        (_in_suspended(), DesiredState.STOPPED, Reason.TENANT_SUSPENDED),
        (_in_ending(), DesiredState.STOPPED, Reason.TENANT_ENDING),
        (_of_people_who_left(), DesiredState.STOPPED, Reason.OWNER_LEFT),
        (_in_deleted(), DesiredState.DELETED, Reason.TENANT_DELETED),
    ):
        for instance_id in list(rows.values_list("pk", flat=True)):
            try:
                _wish(rows, instance_id, desired_state=desired_state, reason=reason)
            except DatabaseError:  # one row's trouble must not keep the others, and what the sweep does next, from being done
                log.exception("instance %s does not follow its tenant yet", instance_id)
    _purge_volumes_of_deleted()


def _in_suspended() -> QuerySet[Instance]:
    return Instance.objects.counted().filter(tenant__suspended_at__isnull=False, tenant__deleted_at=None)


def _in_ending() -> QuerySet[Instance]:
    ending = Q(tenant__suspended_at=None, tenant__deletion_due_at__isnull=False, tenant__deleted_at=None)
    return Instance.objects.counted().filter(ending)


def _in_deleted() -> QuerySet[Instance]:
    left = Instance.objects.filter(tenant__deleted_at__isnull=False).exclude(state=InstanceState.DELETED)
    return left.exclude(desired_state=DesiredState.DELETED)


def _of_people_who_left() -> QuerySet[Instance]:
    """What runs for nobody: its owner is no member, and no member has asked for it since; an admin may run it all the same."""
    members = Membership.objects.filter(acting(), tenant=OuterRef("tenant"))
    colleagues = Membership.objects.filter(acting(), tenant=OuterRef("instance__tenant"), user=OuterRef("actor"))
    wishes = InstanceEvent.objects.filter(Exists(colleagues), kind=InstanceEvent.Kind.WISH)
    asked = wishes.filter(instance=OuterRef("pk"), generation=OuterRef("generation"))
    running = Instance.objects.counted().filter(open_for_work("tenant__"))
    return running.exclude(Exists(members.filter(user=OuterRef("owner")))).exclude(Exists(asked))


@transaction.atomic
def _wish(rows: QuerySet[Instance], instance_id: UUID, *, desired_state: DesiredState, reason: Reason) -> None:
    """Write the portal's own wish, if what was read still holds under the lock of the instance."""
    Instance.objects.select_for_update(no_key=True).filter(pk=instance_id).values_list("pk").first()
    instance = rows.filter(pk=instance_id).first()
    if instance is not None:
        wish(instance, reason, by=None, desired_state=desired_state)


def _purge_volumes_of_deleted() -> None:
    """Let the data of deleted tenants go with the next purge, once no instance holds it."""
    holders = Instance.objects.filter(volume=OuterRef("pk")).exclude(state=InstanceState.DELETED)
    left = Volume.objects.filter(tenant__deleted_at__isnull=False).exclude(Exists(holders))
    left.filter(state=Volume.State.ACTIVE).update(state=Volume.State.TRASHED, purge_at=Now())
    left.filter(state=Volume.State.TRASHED, purge_at__gt=timezone.now()).update(purge_at=Now())
