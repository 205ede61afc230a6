"""Where a launch may go."""

from typing import Any, NoReturn

from django.db.models import Q
from django.utils.translation import gettext as _

from engines.capacity import slots_taken
from engines.clusters import pools_of
from engines.errors import Unavailable
from engines.models import Capacity, Cluster, EngineVersion, GpuClass, Volume
from engines.sharing import lock_shared_slots, others_want_or_hold
from tenants.models import Tenant


def choose_place(
    engine_version: EngineVersion, gpu_class: GpuClass, *, tenant: Tenant, wanted: Cluster | None = None, pool: str = ""
) -> Capacity:
    """Return the cluster and the pool of it for a launch: the wanted ones, if they have the class at all.

    Only enabled clusters that can run the version count, whether or not a slot is free now; what is in the cloud only for tenants
    that may use it, and after what is on premises, where the launch waits for a slot until `bursting` moves it. Among these, the
    one that is watched, then that with most free slots; a tenant with no patience at all goes where a slot is free.
    """
    able = Q(cluster__enabled=True, cluster__kind=engine_version.cluster_kind)
    offers = Capacity.objects.filter(able, gpu_class=gpu_class, slots__gt=0)
    if wanted is not None:
        offers = offers.filter(cluster=wanted, **({"pool": pool} if pool in pools_of(wanted) else {}))
    found = list(offers.annotate(taken=slots_taken()).select_related("cluster").order_by("cluster__name", "pk"))
    allowed = [each for each in found if tenant.may_burst or each.location == Cluster.Location.ONPREM]
    names = {"gpu_class": gpu_class.name, "version": engine_version, "where": wanted.name if wanted else _("any cluster")}
    if not found:
        raise Unavailable(
            _("There is no %(gpu_class)s for %(version)s on %(where)s now. Choose another GPU class or version.") % names
        )
    if not allowed:
        names["tenant"] = tenant.name
        raise Unavailable(_("%(gpu_class)s is in the cloud, which %(tenant)s may not use. Choose another GPU class.") % names)

    def rank(each: Any) -> tuple[bool, bool, bool, int]:
        free = each.slots - each.taken
        silent = each.cluster.is_silent
        hopeless = tenant.burst_after_seconds == 0 and (free <= 0 or silent)
        return (hopeless, each.location != Cluster.Location.ONPREM, silent, -free)

    ranked = sorted(allowed, key=rank)
    return next((each for each in ranked if not _used_by_others(each.cluster, gpu_class, tenant)), None) or _refuse(gpu_class)


def require_turn(cluster: Cluster, gpu_class: GpuClass, tenant: Tenant) -> None:
    """Refuse GPUs that do not keep tenants apart while another tenant uses them or waits for them."""
    if _used_by_others(cluster, gpu_class, tenant):
        _refuse(gpu_class)


def _used_by_others(cluster: Cluster, gpu_class: GpuClass, tenant: Tenant) -> bool:
    lock_shared_slots(cluster.pk, gpu_class)
    return others_want_or_hold(tenant_id=tenant.pk, cluster_id=cluster.pk, gpu_class=gpu_class)


def _refuse(gpu_class: GpuClass) -> NoReturn:
    raise Unavailable(
        _("Another team uses %(gpu_class)s now, and its memory is shared. Choose another GPU class, or try again later.")
        % {"gpu_class": gpu_class.name}
    )


def require_fitting_class(engine_version: EngineVersion, gpu_class: GpuClass) -> None:
    """Refuse a class that is no longer offered, and one with less memory than the version needs."""
    if gpu_class.hidden:
        raise Unavailable(_("%(gpu_class)s is no longer offered. Choose another GPU class.") % {"gpu_class": gpu_class.name})
    if gpu_class.memory_mib < engine_version.min_gpu_memory_mib:
        needed = engine_version.min_gpu_memory_mib / 1024
        raise Unavailable(_("%(version)s needs %(needed).0f GB of GPU memory.") % {"version": engine_version, "needed": needed})


def require_compatible_data(volume: Volume, engine_version: EngineVersion) -> None:
    """Refuse data of another engine, and data that must be migrated first."""
    if volume.readable_by(engine_version) is not False:
        return
    names = {"volume": volume.name, "writer": volume.written_by, "version": engine_version}
    if volume.written_by is not None and volume.written_by.engine_id == engine_version.engine_id:
        sentence = _("“%(volume)s” was written by %(writer)s and has to be migrated before %(version)s can read it.")
    else:
        sentence = _("“%(volume)s” was written by %(writer)s, which %(version)s cannot read.")
    raise Unavailable(sentence % names)
