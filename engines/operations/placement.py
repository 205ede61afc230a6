"""Where a launch may go."""

from django.db.models import Count, F, Q
from django.utils.translation import gettext as _

from engines.errors import Unavailable
from engines.models import Capacity, Cluster, EngineVersion, GpuClass, Volume
from engines.states import HOLDS_GPU


def choose_cluster(engine_version: EngineVersion, gpu_class: GpuClass, *, wanted: Cluster | None = None) -> Cluster:
    """Return the enabled cluster with most free slots of the class, or the wanted one if it has the class at all.

    Only clusters that can run the version count, whether or not a slot is free now.
    """
    able = Q(cluster__enabled=True, cluster__kind=engine_version.cluster_kind)
    offers = Capacity.objects.filter(able, gpu_class=gpu_class, slots__gt=0)
    if wanted is not None:
        offers = offers.filter(cluster=wanted)
    holding = Q(cluster__instances__gpu_class=gpu_class, cluster__instances__state__in=HOLDS_GPU)
    taken = Count("cluster__instances", filter=holding)
    best = offers.annotate(free=F("slots") - taken).order_by("-free", "cluster__name").select_related("cluster").first()
    if best is None:
        where = wanted.name if wanted else _("any cluster")
        raise Unavailable(
            _("There is no %(gpu_class)s for %(version)s on %(where)s now. Choose another GPU class or version.")
            % {"gpu_class": gpu_class.name, "version": engine_version, "where": where}
        )
    return best.cluster


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
