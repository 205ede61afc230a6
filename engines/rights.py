"""What a person may do with an instance and its data: the one place that answers, for pages, sockets, files and the gateway.

`tenants.access` knows what a role allows; here it meets whose the instance is and whom it is shared with. Shares are compared
with the moment of the question, so that one whose time is over lets nobody in, though nobody has ended it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from engines.models import Instance, Share, Volume
from tenants import access
from tenants.access import Action
from tenants.errors import NotAllowed
from tenants.models import Membership

Guests = set[int | None] | frozenset[int | None]
"""Whom an instance is shared with now, by user id; None stands for everybody in its tenant."""


@dataclass(frozen=True)
class Rights:
    """What one person may do with one instance: all that a fragment depends on besides language and time zone."""

    operate: bool  # pause, restart, rename, delete, share, hand over
    visit: bool  # enter the engine, see its pictures, files and log
    costs: bool
    guest: bool = False  # visits by a share

    @property
    def wake(self) -> bool:
        """Start it when it rests: whoever may enter need not ask anybody to."""
        return self.operate or self.visit


def rights_in(membership: Membership, instance: Instance, guests: Guests) -> Rights:
    """Return what the member may do with an instance of the tenant that is shared with these."""
    own = instance.owner_id == membership.user_id
    shared = not guests.isdisjoint({membership.user_id, None})
    may_enter = access.may(membership, Action.VISIT)
    return Rights(
        operate=access.may_operate(membership, owner_id=instance.owner_id),
        visit=may_enter and (own or shared),
        costs=own or access.may(membership, Action.SEE_COSTS),
        guest=may_enter and shared and not own,
    )


def rights_of(membership: Membership, instances: Collection[Instance]) -> Mapping[UUID, Rights]:
    """Return what the member may do with each of these instances of the tenant; one query at most."""
    may_enter = access.may(membership, Action.VISIT)
    guests = guests_of([each.pk for each in instances if may_enter and each.owner_id != membership.user_id])
    return {instance.pk: rights_in(membership, instance, guests.get(instance.pk, frozenset())) for instance in instances}


def guests_of(instance_ids: Collection[UUID]) -> Mapping[UUID, Guests]:
    """Return whom each instance is shared with now, of those that are shared; one query if there is anything to ask."""
    found: dict[UUID, set[int | None]] = defaultdict(set)
    if instance_ids:
        lasting = Share.objects.lasting(timezone.now()).filter(instance__in=instance_ids).order_by()
        for instance_id, member_id in lasting.values_list("instance_id", "member_id"):
            found[instance_id].add(member_id)
    return found


def may_visit(membership: Membership, instance: Instance) -> bool:
    """Tell whether the member may enter an instance of the tenant now."""
    return rights_of(membership, [instance])[instance.pk].visit


def require_visit(membership: Membership, instance: Instance) -> None:
    """Refuse with NotAllowed what `may_visit` does not allow."""
    access.require(membership, Action.VISIT)
    if not may_visit(membership, instance):
        names = {"name": instance.name, "owner": instance.owner}
        raise NotAllowed(_("“%(name)s” belongs to %(owner)s and is not shared with you. Ask them for access.") % names)


def owns(membership: Membership, volume: Volume) -> bool:
    """Tell whether the data is the member's own, and they may look into it as into the engine that writes it."""
    return volume.owner_id == membership.user_id and access.may(membership, Action.TAKE_FILES)


def may_see_files(membership: Membership, volume: Volume, holder: Instance | None) -> bool:
    """Tell whether the member may see and change what is on a volume: its owner, and whoever may enter the engine that has it.

    An engine's visitor can do all that from within, so to show less here would only look safe.
    """
    return owns(membership, volume) or (holder is not None and may_visit(membership, holder))
