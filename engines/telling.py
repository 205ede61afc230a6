"""What people are told of instances outside of release: failures, shares, hand-overs. Rows in the caller's transaction.

Nobody is told what they did themselves. Webhooks are, and nobody else, where it was so.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import F
from django.utils import translation

from engines.models import Instance, Share
from engines.reasons import EXPLANATIONS, Reason
from engines.states import DesiredState, InstanceState
from tenants.models import User
from tenants.notifications.operations import notify

SOURCE_LANGUAGE = "en"


def tell(instance: Instance, kind: str, people: Iterable[User], *, key: str, **context: object) -> None:
    """Tell people of an instance, once for each key."""
    notify(
        tenant=instance.tenant,
        kind=kind,
        recipients=people,
        key=f"{instance.slug}:{key}",
        subject=instance.slug,
        context={"name": instance.name, **context},
    )


def tell_failed(instance: Instance, reason: Reason) -> None:
    """Tell the owner that the wish has failed, once for each wish, unless a newer one goes on by itself.

    Called after the transition, whose lock on the row keeps the owner who is read here from changing.
    """
    rows = Instance.objects.select_related("owner", "tenant").filter(pk=instance.pk, state=InstanceState.FAILED)
    failed = rows.filter(desired_state=DesiredState.RUNNING, settled_generation__gte=F("generation")).first()
    if failed is None:
        return
    with translation.override(SOURCE_LANGUAGE):
        why = str(EXPLANATIONS[reason].sentence)
    tell(failed, "instance_failed", [failed.owner], key=f"wish-{failed.settled_generation}", why=why)


def tell_shared(share: Share, instance: Instance, by: User) -> None:
    """Tell the guest. A share with everybody is told to nobody: the list of engines shows it, and a team is no mailing list."""
    if share.member is not None:
        tell(instance, "share_given", _others([share.member], by), key=f"share-{share.pk}", by=str(by))


def tell_shares_ended(shares: Iterable[Share], instance: Instance, by: User, now: datetime) -> None:
    """Tell guests who may not enter any more by any way; `shares` have been ended."""
    if instance.shares.lasting(now).filter(member__isnull=True).exists():
        return
    for share in shares:
        if share.member is not None and share.member_id != instance.owner_id:
            tell(instance, "share_ended", _others([share.member], by), key=f"share-{share.pk}")


def tell_handed_over(instance: Instance, handover_id: int, by: User) -> None:
    """Tell the new owner."""
    tell(instance, "handed_over", _others([instance.owner], by), key=f"handover-{handover_id}", by=str(by))


def _others(people: Iterable[User], by: User) -> list[User]:
    return [person for person in people if person.pk != by.pk]
