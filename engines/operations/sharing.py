"""Letting others into an instance, and giving it to somebody for good. The people concerned are told."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from engines import hints, live
from engines.amounts import presence_of
from engines.auditing import record_instance
from engines.errors import Unavailable
from engines.models import Handover, Instance, InstanceEvent, Share, Volume, VolumeFact
from engines.operations.locks import lock_instance, lock_tenant
from engines.quotas import standing_of
from engines.reasons import Reason
from engines.telling import tell_handed_over, tell_share_ended, tell_shared
from engines.volume_facts import note_volume
from tenants import access
from tenants.access import Action
from tenants.errors import NotVisible
from tenants.models import Membership, Tenant, User


@transaction.atomic
def share_instance(*, instance: Instance, by: Membership, member: User | None, until: datetime | None) -> Share:
    """Let a member (None: everybody in the tenant) enter until that moment (None: until somebody ends it).

    Where it is shared with them already, the end changes.
    """
    instance, now = lock_instance(instance, by), timezone.now()
    _require_later(until, now)
    if member is not None:
        _require_able(instance, member, Action.VISIT)
    former = instance.shares.filter(member=member, ended_at__isnull=True).first()
    if former is not None and (former.until is None or former.until > now):
        _change_end(former, instance, by, until)
        return former
    if former is not None:
        Share.objects.filter(pk=former.pk).update(ended_at=former.until)
    share = Share.objects.create(
        tenant=instance.tenant, instance=instance, member=member, until=until, shared_by=by.user, created_at=now
    )
    instance.log(InstanceEvent.Kind.NOTE, Reason.SHARED, by=by.user, evidence=_described(share))
    record_instance("instance.shared", instance, by, **_audited(share))
    tell_shared(share, by.user)
    live.announce_on_commit(instance)
    return share


@transaction.atomic
def extend_share(*, share: Share, by: Membership, until: datetime | None) -> None:
    """Let a share that lasts end at another moment, later or sooner."""
    instance, now = lock_instance(share.instance, by), timezone.now()
    _require_later(until, now)
    lasting = instance.shares.lasting(now).filter(pk=share.pk).first()
    if lasting is None:
        raise Unavailable(_("This share has ended already."))
    _change_end(lasting, instance, by, until)


@transaction.atomic
def end_share(*, share: Share, by: Membership) -> None:
    """Let nobody in by this share any more; does nothing if it has ended by itself or by somebody else."""
    instance, now = lock_instance(share.instance, by), timezone.now()
    lasting = instance.shares.lasting(now).filter(pk=share.pk).first()
    if lasting is None:
        return
    Share.objects.filter(pk=lasting.pk).update(ended_at=now, ended_by=by.user)
    instance.log(InstanceEvent.Kind.NOTE, Reason.SHARE_ENDED, by=by.user, evidence=_described(lasting))
    record_instance("instance.share_ended", instance, by, **_audited(lasting))
    tell_share_ended(lasting, by.user)
    live.announce_on_commit(instance)


@transaction.atomic
def hand_over_instance(*, instance: Instance, by: Membership, to: User) -> None:
    """Give the instance and its volume to another member; all shares end, and what it costs from now on is the new owner's.

    Refused where it would exceed a limit of theirs.
    """
    tenant = lock_tenant(by.tenant_id)
    instance, now = lock_instance(instance, by), timezone.now()
    _require_able(instance, to, Action.LAUNCH)
    _require_room(instance, tenant, to)
    former = instance.owner
    Instance.objects.filter(pk=instance.pk).update(owner=to)
    Volume.objects.filter(pk=instance.volume_id).update(owner=to)
    if instance.volume.provisioned_at is not None:
        instance.volume.owner = to
        note_volume(instance.volume, VolumeFact.Kind.CHANGED, at=now)
    handover = Handover.objects.create(instance=instance, at=now, from_owner=former, to_owner=to, actor=by.user)
    ended = list(instance.shares.lasting(now).exclude(member=to).select_related("instance__tenant", "member"))
    instance.shares.lasting(now).update(ended_at=now, ended_by=by.user)
    instance.log(InstanceEvent.Kind.NOTE, Reason.HANDED_OVER, by=by.user, evidence=f"{former} → {to}")
    record_instance("instance.handed_over", instance, by, **{"from": former.username, "to": to.username})
    tell_handed_over(instance, handover.pk, former=former, to=to, by=by.user)
    for share in ended:
        tell_share_ended(share, by.user)
    hints.settle_on_commit(instance.pk)
    live.announce_on_commit(instance)


def _change_end(share: Share, instance: Instance, by: Membership, until: datetime | None) -> None:
    if share.until == until:
        return
    share.until = until
    share.save(update_fields=["until"])
    record_instance("instance.share_changed", instance, by, **_audited(share))
    instance.log(InstanceEvent.Kind.NOTE, Reason.SHARE_CHANGED, by=by.user, evidence=_described(share))
    live.announce_on_commit(instance)


def _require_later(until: datetime | None, now: datetime) -> None:
    if until is not None and until <= now:
        raise Unavailable(_("Choose a moment that is still to come."))


def _require_able(instance: Instance, person: User, action: Action) -> None:
    """Refuse the owner, strangers, and members whose role does not allow the action."""
    if person.pk == instance.owner_id:
        raise Unavailable(_("“%(name)s” belongs to %(person)s already.") % {"name": instance.name, "person": person})
    memberships = Membership.objects.select_for_update(no_key=True, of=("self",)).select_related("tenant")
    membership = memberships.filter(user=person, user__is_active=True, lapsed_at=None, tenant_id=instance.tenant_id).first()
    if membership is None:
        raise NotVisible(_("There is no such member."))
    if not access.may(membership, action):
        names = {"person": person, "tenant": instance.tenant}
        raise Unavailable(_("The role of %(person)s in %(tenant)s does not allow to use engines.") % names)


def _audited(share: Share) -> dict[str, object]:
    until = None if share.until is None else share.until.isoformat(timespec="seconds")
    return {"guest": share.member.username if share.member else "everybody", "until": until}


def _require_room(instance: Instance, tenant: Tenant, to: User) -> None:
    size_gib = instance.volume.size_gib
    before, after = (
        presence_of(owner_id, instance.gpu_class, counted=instance.counts, size_gib=size_gib)
        for owner_id in (instance.owner_id, to.pk)
    )
    standing_of(tenant, to).require(-before, after, classes=[instance.gpu_class])


def _described(share: Share) -> str:
    guest = str(share.member or share.tenant)
    return guest if share.until is None else f"{guest} → {share.until:%Y-%m-%d %H:%M %Z}"
