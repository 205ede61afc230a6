"""What people are told about instances, in the transaction of what happened, and each thing once: the keys name it."""

from collections.abc import Iterable

from django.db.models import F
from django.utils import timezone, translation

from engines.models import Instance, Share
from engines.reasons import EXPLANATIONS, Reason
from engines.states import DesiredState, InstanceState
from tenants.models import User
from tenants.notifications.operations import notify


def tell(instance: Instance, kind: str, people: Iterable[User], key: str, **context: object) -> None:
    """Tell these people of the instance. `key` tells this event from all others of the kind and instance."""
    notify(
        tenant=instance.tenant,
        kind=kind,
        recipients=people,
        key=f"{instance.slug}:{key}"[:200],
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
    with translation.override("en"):  # translated again for each reader
        why = str(EXPLANATIONS[reason].sentence)
    tell(failed, "instance_failed", [failed.owner], f"{failed.settled_generation}", why=why)


def tell_shared(share: Share, by: User) -> None:
    """A guest may enter. Who shares with everybody fills nobody's mailbox: the engine stands in everybody's list."""
    tell(share.instance, "share_given", _guest(share, by), f"{share.pk}", by=by.username)


def tell_share_ended(share: Share, by: User) -> None:
    """Somebody ended a share; one that just runs out was announced with its end. Who may still enter is not told otherwise."""
    if share.member is not None and share.instance.shares.lasting(timezone.now()).filter(member__isnull=True).exists():
        return
    tell(share.instance, "share_ended", _guest(share, by), f"{share.pk}")


def tell_handed_over(instance: Instance, handover_id: int, *, former: User, to: User, by: User) -> None:
    """An instance has another owner: both should know, except whoever did it."""
    if to != by:
        tell(instance, "handed_over", [to], f"{handover_id}", by=by.username)
    if former != by:
        tell(instance, "taken_over", [former], f"{handover_id}", by=by.username, to=to.username)


def _guest(share: Share, by: User) -> list[User]:
    return [share.member] if share.member is not None and share.member != by else []
