"""Who may enter an instance, and who could."""

from django.db.models import QuerySet
from django.utils import timezone

from engines.models import Instance, Share
from tenants import access
from tenants.access import Action
from tenants.models import Membership, User, acting


def lasting_shares(instance: Instance) -> QuerySet[Share]:
    """Return the shares that let somebody in now, the one with the whole tenant first."""
    lasting = instance.shares.lasting(timezone.now()).select_related("member", "shared_by", "tenant", "instance__owner")
    return lasting.order_by("member__username")


def shares_of(instance: Instance) -> list[Share]:
    """Return the same as rows; one query."""
    return sorted(lasting_shares(instance), key=lambda share: share.member_id is not None)


def share_of(membership: Membership, instance: Instance) -> Share | None:
    """Return the share by which the member may enter: of two, the one that lasts longer."""
    found = [each for each in shares_of(instance) if each.member_id in {None, membership.user_id}]
    return max(found, key=lambda share: (share.until is None, share.until), default=None)


def others_who_may(action: Action, instance: Instance) -> QuerySet[User]:
    """Return the members of its tenant besides the owner whose role allows the action, by name."""
    roles = access.roles_that_may(action)
    members = Membership.objects.filter(acting(), tenant_id=instance.tenant_id, role__in=roles).exclude(user=instance.owner_id)
    return User.objects.filter(pk__in=members.values("user")).order_by("username")
