"""What people ask of instances: each function is one use case in one transaction, and enqueues a hint after commit."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from engines import live
from engines.admission import Run, require_admitted
from engines.amounts import launch_of, presence_of, run_of
from engines.auditing import record_instance
from engines.clusters import namespace_of
from engines.errors import NameTaken, Unavailable
from engines.models import Cluster, EngineVersion, GpuClass, Instance, InstanceEvent, Volume
from engines.models.instance import NAME_LENGTH
from engines.operations.locks import lock_instance, lock_tenant
from engines.operations.placement import choose_place, require_compatible_data, require_fitting_class, require_turn
from engines.operations.tags import note_tag, spelled
from engines.quotas import standing_of
from engines.reasons import Reason
from engines.sharing import lock_shared_slots
from engines.states import COMING_UP, DesiredState, InstanceState
from engines.wishes import record_wish, wish
from tenants import access
from tenants.access import Action
from tenants.errors import NotAllowed, NotVisible
from tenants.models import Membership, Tenant

_AUDITED = {
    Reason.LAUNCHED: "instance.launched",
    Reason.PAUSED: "instance.paused",
    Reason.CANCELLED: "instance.cancelled",
    Reason.RESUMED: "instance.resumed",
    Reason.RETRIED: "instance.resumed",
    Reason.RESTARTED: "instance.restarted",
    Reason.DELETED: "instance.deleted",
}


@transaction.atomic
def launch_instance(  # noqa: PLR0913 - a launch is that many choices
    *,
    membership: Membership,
    engine_version: EngineVersion,
    gpu_class: GpuClass,
    name: str,
    cluster: Cluster | None = None,
    volume: Volume | None = None,
    size_gib: int = 50,
    tag: str = "",
) -> Instance:
    """Ask for a running instance with a volume of its own, or with an existing one; the reconciler does the rest.

    `tag`: the project that its costs are for.
    """
    access.require(membership, Action.LAUNCH)
    tenant = lock_tenant(membership.tenant_id)
    wanted = launch_of(membership.user_id, gpu_class, size_gib=0 if volume else size_gib)
    standing_of(tenant, membership.user).require(wanted, classes=[gpu_class])
    _require_offered(engine_version, gpu_class)
    if volume is not None:
        volume = _free_volume(membership, volume)
        require_compatible_data(volume, engine_version)
    there, pool = (volume.cluster, volume.pool) if volume else (cluster, "")
    place = choose_place(engine_version, gpu_class, tenant=tenant, wanted=there, pool=pool)
    name, tag, owner = _free_name(tenant, name), spelled(tenant, tag), membership.user
    require_admitted(Run(tenant, owner, gpu_class, tag, by=membership))
    if volume is None:
        volume = Volume.objects.create(
            tenant=tenant,
            owner=owner,
            cluster=place.cluster,
            namespace=namespace_of(place.cluster, tenant.slug),
            name=_volume_name(tenant, name),
            size_gib=size_gib,
        )
    try:
        with transaction.atomic():
            instance = Instance.objects.create(
                tenant=tenant,
                owner=owner,
                name=name,
                engine_version=engine_version,
                gpu_class=gpu_class,
                cluster=place.cluster,
                pool=place.pool,
                volume=volume,
                tag=tag,
                reason=Reason.LAUNCHED,
                wish_reason=Reason.LAUNCHED,
            )
    except IntegrityError as error:
        raise NameTaken(_("Somebody else took this name or volume a moment ago. Choose another.")) from error
    note_tag(volume, tag, at=timezone.now())
    if volume.owner_id != owner.pk:
        instance.log(
            InstanceEvent.Kind.WISH, Reason.COLLEAGUES_DATA, by=membership.user, evidence=f"{volume.name} ({volume.owner})"
        )
    record_wish(instance, Reason.LAUNCHED, by=membership.user)
    details = {"engine": str(engine_version), "gpu_class": gpu_class.slug, "cluster": place.cluster.slug, "volume": volume.name}
    details |= {"project": tag} if tag else {}
    record_instance("instance.launched", instance, membership, **details)
    return instance


@transaction.atomic
def pause_instance(*, instance: Instance, by: Membership) -> None:
    """Ask to give the GPU back and keep the data; does nothing if that was asked already."""
    instance = lock_instance(instance, by)
    if instance.desired_state == DesiredState.RUNNING:
        _wish(instance, by, Reason.PAUSED, desired_state=DesiredState.STOPPED)


@transaction.atomic
def cancel_launch(*, instance: Instance, by: Membership) -> None:
    """Ask to stop coming up; refused once the engine runs, where pausing is the word."""
    _cancel(lock_instance(instance, by), by)


@transaction.atomic
def cancel_wake(*, instance: Instance, by: Membership) -> None:
    """As `cancel_launch`, for whoever may visit the engine; who may not operate it takes back a wish of their own alone."""
    instance = lock_instance(instance, by, to_wake=True)
    if not access.may_operate(by, owner_id=instance.owner_id):
        wished = instance.events.filter(kind=InstanceEvent.Kind.WISH, generation=instance.generation).order_by("pk").first()
        if wished is None or wished.actor_id != by.user_id:
            raise NotAllowed(_("Somebody else asked for %(name)s. Only they or its owner can cancel that.") % {"name": instance})
    _cancel(instance, by)


@transaction.atomic
def resume_instance(*, instance: Instance, by: Membership) -> None:
    """Ask to run again, also after a failure; does nothing if it runs or is on its way. Whoever may enter may wake it."""
    tenant = lock_tenant(by.tenant_id)
    lock_shared_slots(instance.cluster_id, instance.gpu_class)
    instance = lock_instance(instance, by, to_wake=True)
    failed = instance.state == InstanceState.FAILED
    if instance.desired_state == DesiredState.RUNNING and not (failed and not instance.retry_due):
        return
    wanted = run_of(instance.owner_id, instance.gpu_class)
    standing_of(tenant, instance.owner).require(wanted, classes=[instance.gpu_class])
    require_turn(instance.cluster, instance.gpu_class, tenant)
    require_admitted(_run(instance, instance.gpu_class, by))
    _wish(instance, by, Reason.RETRIED if failed else Reason.RESUMED, desired_state=DesiredState.RUNNING)


@transaction.atomic
def restart_instance(*, instance: Instance, by: Membership) -> None:
    """Ask for a fresh run of the engine on the same data."""
    instance = lock_instance(instance, by)
    if instance.state != InstanceState.RUNNING or instance.desired_state != DesiredState.RUNNING:
        raise Unavailable(_("%(name)s does not run, so it cannot be restarted. Resume it instead.") % {"name": instance.name})
    _wish(instance, by, Reason.RESTARTED, restart_generation=instance.generation + 1)


@transaction.atomic
def rename_instance(*, instance: Instance, by: Membership, name: str) -> None:
    """Give it another name; its address stays."""
    tenant = lock_tenant(by.tenant_id)
    instance = lock_instance(instance, by)
    if name.strip() == instance.name:
        return
    old, instance.name = instance.name, _free_name(tenant, name, besides=instance)
    instance.save(update_fields=["name"])
    instance.log(InstanceEvent.Kind.WISH, Reason.RENAMED, by=by.user, evidence=f"{old} → {instance.name}")
    record_instance("instance.renamed", instance, by, **{"from": old, "to": instance.name})
    live.announce_on_commit(instance)


@transaction.atomic
def change_gpu_class(*, instance: Instance, by: Membership, gpu_class: GpuClass) -> None:
    """Use another GPU class from the next start on; refused while the present one is held."""
    tenant = lock_tenant(by.tenant_id)
    lock_shared_slots(instance.cluster_id, gpu_class)
    instance = lock_instance(instance, by)
    if instance.state not in {InstanceState.STOPPED, InstanceState.FAILED, InstanceState.QUEUED}:
        raise Unavailable(_("Pause %(name)s first; then its GPU class can change.") % {"name": instance.name})
    if gpu_class == instance.gpu_class:
        return
    require_fitting_class(instance.engine_version, gpu_class)
    pool = instance.pool if instance.volume.provisioned_at else ""
    place = choose_place(instance.engine_version, gpu_class, tenant=tenant, wanted=instance.cluster, pool=pool)
    given_up = instance.state == InstanceState.FAILED and not instance.retry_due
    before, after = (presence_of(instance.owner_id, each, counted=instance.counts) for each in (instance.gpu_class, gpu_class))
    standing_of(tenant, instance.owner).require(-before, after, classes=[gpu_class])
    if instance.counts:
        require_admitted(_run(instance, gpu_class, by))
    old, instance.gpu_class, instance.pool = instance.gpu_class, gpu_class, place.pool
    instance.generation += 1  # a reconciler that read the old class must not start it
    if given_up:
        instance.settled_generation = instance.generation  # choosing a class is not yet a retry
    instance.save(update_fields=["gpu_class", "pool", "generation", "settled_generation"])
    record_wish(instance, Reason.CLASS_CHANGED, by=by.user, evidence=f"{old} → {gpu_class}")
    record_instance("instance.class_changed", instance, by, **{"from": old.slug, "to": gpu_class.slug})


@transaction.atomic
def delete_instance(*, instance: Instance, by: Membership, keep_volume: bool) -> None:
    """Ask to remove the instance for good; its volume is kept for another launch, or goes to the trash with a date."""
    instance = lock_instance(instance, by)
    _wish(instance, by, Reason.DELETED, {"data": "kept" if keep_volume else "trash"}, desired_state=DesiredState.DELETED)
    if not keep_volume:
        purge_at = timezone.now() + timedelta(days=settings.TRASH_DAYS)
        trashed = Volume.objects.filter(pk=instance.volume_id, state=Volume.State.ACTIVE)
        trashed.update(state=Volume.State.TRASHED, purge_at=purge_at)


def _run(instance: Instance, gpu_class: GpuClass, by: Membership) -> Run:
    return Run(instance.tenant, instance.owner, gpu_class, instance.tag, by=by, instance_id=instance.pk)


def _require_offered(version: EngineVersion, gpu_class: GpuClass) -> None:
    if version.status == EngineVersion.Status.DRAFT:
        raise Unavailable(_("This engine version is not published."))
    if version.engine.hidden:
        raise Unavailable(_("%(engine)s is no longer offered. Choose another engine.") % {"engine": version.engine.name})
    require_fitting_class(version, gpu_class)


def _cancel(instance: Instance, by: Membership) -> None:
    if instance.state not in COMING_UP:
        raise Unavailable(_("%(name)s is no longer starting. Pause it instead.") % {"name": instance.name})
    if instance.desired_state == DesiredState.RUNNING:
        _wish(instance, by, Reason.CANCELLED, desired_state=DesiredState.STOPPED)


def _wish(
    instance: Instance, by: Membership, reason: Reason, details: Mapping[str, object] | None = None, **changes: Any
) -> None:
    wish(instance, reason, by=by.user, **changes)
    record_instance(_AUDITED[reason], instance, by, **(details or {}))


def _free_name(tenant: Tenant, name: str, besides: Instance | None = None) -> str:
    name = " ".join(name.split())
    if not name:
        raise NameTaken(_("Give it a name."))
    if len(name) > NAME_LENGTH:
        raise NameTaken(_("The name is longer than %(limit)d characters.") % {"limit": NAME_LENGTH})
    others = tenant.instances.exclude(state=InstanceState.DELETED)
    if besides is not None:
        others = others.exclude(pk=besides.pk)
    if others.filter(name__iexact=name).exists():
        raise NameTaken(_("%(tenant)s already has an instance named “%(name)s”.") % {"tenant": tenant, "name": name})
    return name


def _volume_name(tenant: Tenant, name: str) -> str:
    """Name the new volume after its instance, with a number if a kept volume has that name already."""
    taken = {each.casefold() for each in tenant.volumes.filter(state=Volume.State.ACTIVE).values_list("name", flat=True)}
    candidate, number = name, 1
    while candidate.casefold() in taken:
        number += 1
        suffix = f" {number}"
        candidate = name[: NAME_LENGTH - len(suffix)] + suffix
    return candidate


def _free_volume(membership: Membership, volume: Volume) -> Volume:
    """Lock the volume to attach; refuse one of another tenant, in the trash, or in use."""
    locked = Volume.objects.select_for_update(no_key=True).filter(pk=volume.pk, tenant_id=membership.tenant_id).first()
    if locked is None or not access.may_operate(membership, owner_id=locked.owner_id):
        raise NotVisible(_("There is nothing here, or it is not yours."))
    if locked.state != Volume.State.ACTIVE:
        raise Unavailable(_("“%(volume)s” is in the trash. Restore it first.") % {"volume": locked.name})
    holder = locked.instances.exclude(state=InstanceState.DELETED).first()
    if holder is not None:
        raise Unavailable(_("“%(volume)s” is in use by %(instance)s.") % {"volume": locked.name, "instance": holder.name})
    return locked
