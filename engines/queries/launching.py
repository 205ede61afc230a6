"""What can be launched, on what, with what chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from engines.amounts import run_of
from engines.capacity import launches_waiting, slots_taken
from engines.models import Capacity, Cluster, Engine, EngineVersion, GpuClass, Instance, Volume
from engines.queries.phases import typical_phases, typical_start_seconds
from engines.quotas import Standing
from engines.sharing import clusters_shared_by_others, is_shared
from tenants.models import Membership, Tenant


@dataclass(frozen=True)
class EngineOption:
    """An engine with its versions on offer, the recommended one first and deprecated ones last.

    `runnable`: some enabled cluster is of the kind that one of them needs.
    """

    engine: Engine
    versions: list[EngineVersion]
    runnable: bool


@dataclass(frozen=True)
class Place:
    """Slots of a GPU class on premises, or in the cloud; of a cluster that nobody watches, none counts as free."""

    location: Cluster.Location
    total: int
    free: int


@dataclass(frozen=True)
class ClassOption:
    """A GPU class as an offer for one version; `refusal` says why it cannot be chosen.

    `silent`: no cluster that has it is watched, so that nobody knows what is free.
    `burst_seconds`: how long a launch waits on premises, where all are in use, before it moves to the cloud.
    """

    gpu_class: GpuClass
    places: Sequence[Place]
    waiting: int
    start_seconds: float | None
    burst_seconds: int | None
    silent: bool
    refusal: str

    @property
    def total(self) -> int:
        return sum(place.total for place in self.places)

    @property
    def free(self) -> int:
        return sum(place.free for place in self.places)

    @property
    def is_apart(self) -> bool:
        """Whether it is worth saying where the slots are."""
        return any(place.location == Cluster.Location.CLOUD for place in self.places)


def offered_engines() -> list[EngineOption]:
    """Return engines with their launchable versions, those that can run here first; two queries."""
    kinds = set(Cluster.objects.filter(enabled=True).values_list("kind", flat=True))
    ordered = _offered_versions().order_by("engine__name", "engine_id", "-is_default", "-status", "-released_at", "-version")
    options = [_engine_option(engine, list(group), kinds) for engine, group in groupby(ordered, key=attrgetter("engine"))]
    return sorted(options, key=lambda option: not option.runnable)


def _offered_versions() -> QuerySet[EngineVersion]:
    versions = EngineVersion.objects.filter(engine__hidden=False).exclude(status=EngineVersion.Status.DRAFT)
    return versions.select_related("engine")


def offered_version(engine_slug: str, version: str) -> EngineVersion | None:
    """Return the version if `offered_engines` has it; one query."""
    return _offered_versions().filter(engine__slug=engine_slug, version=version).first()


def _engine_option(engine: Engine, versions: list[EngineVersion], kinds: set[str]) -> EngineOption:
    return EngineOption(engine, versions, runnable=any(version.cluster_kind in kinds for version in versions))


def class_options(standing: Standing, version: EngineVersion, volume: Volume | None) -> list[ClassOption]:
    """Return all classes on offer, usable and small ones first: where the tenant may launch, and the volume is if there is one.

    Five queries, and one more for data in a cluster that is divided into pools.
    """
    offers = _Offers(standing.tenant, version, volume)
    history = typical_phases(version)
    options = []
    for each in GpuClass.objects.filter(hidden=False):
        places = offers.places(each)
        refusal = offers.refusal(each) or _refusal(each, version) or _shortage(standing, each)
        options.append(
            ClassOption(
                gpu_class=each,
                places=places,
                waiting=offers.waiting(each),
                start_seconds=typical_start_seconds(history.get(each.pk, {})),
                burst_seconds=_burst_seconds(standing.tenant, places, volume),
                silent=offers.silent(each),
                refusal=refusal,
            )
        )
    return sorted(options, key=lambda option: (bool(option.refusal), option.gpu_class.memory_mib, option.gpu_class.cpu_millis))


def offered_classes() -> list[GpuClass]:
    """Return the classes of which some enabled cluster has slots, whatever engine is to run on them; one query."""
    return list(GpuClass.objects.filter(hidden=False, capacities__slots__gt=0, capacities__cluster__enabled=True).distinct())


def usable_class(membership: Membership, version: EngineVersion, volume: Volume | None, slug: str) -> GpuClass | None:
    """Return the class if `class_options` would offer it, limits aside; two queries, or four of a shared one in a pool."""
    found = GpuClass.objects.filter(hidden=False, slug=slug).first()
    if found is None:
        return None
    refusal = _Offers(membership.tenant, version, volume, found).refusal(found) or _refusal(found, version)
    return None if refusal else found


class _Offers:
    """Every cluster's slots of every class, and which of them this launch could have."""

    def __init__(self, tenant: Tenant, version: EngineVersion, volume: Volume | None, only: GpuClass | None = None) -> None:
        """Read them; `only` those of one class, where the others are not asked for."""
        self.tenant, self.volume = tenant, volume
        able = Q(cluster__enabled=True, cluster__kind=version.cluster_kind) & (Q(gpu_class=only) if only else Q())
        rows = Capacity.objects.filter(able, slots__gt=0).select_related("cluster")
        self._capacities = list(rows.annotate(taken=slots_taken(), waiting=launches_waiting()))

    @cached_property
    def _shared_elsewhere(self) -> set[int]:
        return clusters_shared_by_others(self.tenant.pk)

    @cached_property
    def _pool_of_data(self) -> str:
        return self.volume.pool if self.volume else ""

    def _of(self, gpu_class: GpuClass) -> list[Any]:
        """All capacities of the class, whether or not this launch could have them."""
        return [each for each in self._capacities if each.gpu_class_id == gpu_class.pk]

    def _open(self, gpu_class: GpuClass) -> list[Any]:
        return [each for each in self._of(gpu_class) if not self._closed(each, gpu_class)]

    def _closed(self, capacity: Capacity, gpu_class: GpuClass) -> str:
        """Say why this launch cannot have these slots; empty if it can."""
        if self.volume is not None and capacity.cluster_id != self.volume.cluster_id:
            return _("Not on %(cluster)s, where the data is.") % {"cluster": self.volume.cluster}
        if self.volume is not None and capacity.pool and capacity.pool != (self._pool_of_data or capacity.pool):
            return _("Not in the part of %(cluster)s where the data is.") % {"cluster": self.volume.cluster}
        if capacity.location == Cluster.Location.CLOUD and not self.tenant.may_burst:
            return _("Only in the cloud, which your team may not use.")
        if is_shared(gpu_class) and capacity.cluster_id in self._shared_elsewhere:
            return _("Another team uses it now, and its memory is shared.")
        return ""

    def places(self, gpu_class: GpuClass) -> list[Place]:
        """Return what could be had, on premises first."""
        found: dict[str, list[Any]] = {}
        for each in self._open(gpu_class):
            found.setdefault(each.location, []).append(each)
        return [
            Place(location, sum(each.slots for each in rows), sum(_free(each) for each in rows))
            for location in Cluster.Location
            for rows in [found.get(location, [])]
            if rows
        ]

    def silent(self, gpu_class: GpuClass) -> bool:
        found = self._open(gpu_class)
        return bool(found) and all(each.cluster.is_silent for each in found)

    def waiting(self, gpu_class: GpuClass) -> int:
        return sum(each.waiting for each in self._open(gpu_class))

    def refusal(self, gpu_class: GpuClass) -> str:
        """Say why nothing of the class could be had; the last thing that stands against it, as the nearest to being solved."""
        if self._open(gpu_class):
            return ""
        reasons = [self._closed(each, gpu_class) for each in self._of(gpu_class)]
        return reasons[-1] if reasons else _("No cluster offers it for this version now.")


def _free(capacity: Any) -> int:
    return 0 if capacity.cluster.is_silent else max(0, capacity.slots - capacity.taken)


def _burst_seconds(tenant: Tenant, places: Sequence[Place], volume: Volume | None) -> int | None:
    free = {place.location: place.free for place in places}
    full_here = free.get(Cluster.Location.ONPREM) == 0
    movable = volume is None or volume.provisioned_at is None
    return tenant.burst_after_seconds if full_here and movable and free.get(Cluster.Location.CLOUD) else None


def last_launch(membership: Membership) -> Instance | None:
    """Return the member's newest instance, deleted or not: the next launch is likely to be like it."""
    mine = Instance.objects.filter(tenant_id=membership.tenant_id, owner_id=membership.user_id)
    return mine.select_related("engine_version", "gpu_class", "volume").order_by("-created_at").first()


def suggested_name(membership: Membership, engine: Engine) -> str:
    """Return a name that no instance of the tenant has yet."""
    taken = Instance.objects.visible_to(membership).values_list("name", flat=True)
    names = {name.casefold() for name in taken}
    candidates = (engine.name if number == 1 else f"{engine.name} {number}" for number in range(1, len(names) + 2))
    return next(name for name in candidates if name.casefold() not in names)


def _refusal(gpu_class: GpuClass, version: EngineVersion) -> str:
    if gpu_class.memory_mib < version.min_gpu_memory_mib:
        needed = version.min_gpu_memory_mib / 1024
        return _("%(version)s needs %(needed).0f GB of GPU memory.") % {"version": version, "needed": needed}
    return ""


def _shortage(standing: Standing, gpu_class: GpuClass) -> str:
    """Say which limit the class would exceed; what any class would exceed is said once for all of them."""
    uses = standing.uses(run_of(standing.owner.pk, gpu_class), classes=[gpu_class])
    found = next((use for use in uses if use.exceeded and use.limit.concerns_class), None)
    return standing.sentence(found) if found else ""
