"""What can be launched, on what, with what chance."""

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from engines.models import Capacity, Cluster, Engine, EngineVersion, GpuClass, Instance, Volume
from engines.queries.phases import typical_phases, typical_start_seconds
from engines.states import HOLDS_GPU
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
class ClassOption:
    """A GPU class as an offer for one version; `refusal` says why it cannot be chosen."""

    gpu_class: GpuClass
    total: int
    free: int
    waiting: int
    start_seconds: float | None
    refusal: str


@dataclass(frozen=True)
class Room:
    """How much of the tenant's limit is used."""

    running: int
    limit: int

    @property
    def full(self) -> bool:
        return self.running >= self.limit


def offered_engines() -> list[EngineOption]:
    """Return engines with their launchable versions, those that can run here first; two queries."""
    kinds = set(Cluster.objects.filter(enabled=True).values_list("kind", flat=True))
    versions = EngineVersion.objects.filter(engine__hidden=False).exclude(status=EngineVersion.Status.DRAFT)
    ordered = versions.select_related("engine").order_by(
        "engine__name", "engine_id", "-is_default", "-status", "-released_at", "-version"
    )
    options = [_engine_option(engine, list(group), kinds) for engine, group in groupby(ordered, key=attrgetter("engine"))]
    return sorted(options, key=lambda option: not option.runnable)


def _engine_option(engine: Engine, versions: list[EngineVersion], kinds: set[str]) -> EngineOption:
    return EngineOption(engine, versions, runnable=any(version.cluster_kind in kinds for version in versions))


def class_options(membership: Membership, version: EngineVersion, volume: Volume | None) -> list[ClassOption]:
    """Return all classes on offer, usable and small ones first, on the volume's cluster if there is one; five queries."""
    clusters = Q(cluster__enabled=True, cluster__kind=version.cluster_kind) & (Q(cluster=volume.cluster) if volume else Q())
    total: Counter[int] = Counter()
    for gpu_class_id, slots in Capacity.objects.filter(clusters).values_list("gpu_class_id", "slots"):
        total[gpu_class_id] += slots
    held = _per_class(Instance.objects.filter(clusters, state__in=HOLDS_GPU))
    waiting = _per_class(Instance.objects.in_line().filter(clusters))
    history = typical_phases(version)
    mine = _per_class(membership.tenant.instances.counted())
    options = [
        ClassOption(
            gpu_class=each,
            total=total[each.pk],
            free=max(0, total[each.pk] - held[each.pk]),
            waiting=waiting[each.pk],
            start_seconds=typical_start_seconds(history.get(each.pk, {})),
            refusal=_refusal(each, version, total[each.pk], mine[each.pk]),
        )
        for each in GpuClass.objects.filter(hidden=False)
    ]
    return sorted(options, key=lambda option: (bool(option.refusal), option.gpu_class.memory_mib, option.gpu_class.cpu_millis))


def room_of(tenant: Tenant) -> Room:
    """Return how many of the tenant's instances count against its limit of running ones."""
    return Room(tenant.instances.counted().count(), tenant.max_running)


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


def _per_class(instances: QuerySet[Instance]) -> Counter[int]:
    return Counter(dict(instances.order_by().values_list("gpu_class_id").annotate(Count("pk"))))


def _refusal(gpu_class: GpuClass, version: EngineVersion, total: int, mine: int) -> str:
    if not total:
        return _("No cluster offers it for this version now.")
    if gpu_class.memory_mib < version.min_gpu_memory_mib:
        needed = version.min_gpu_memory_mib / 1024
        return _("%(version)s needs %(needed).0f GB of GPU memory.") % {"version": version, "needed": needed}
    limit = gpu_class.max_per_tenant
    if limit is not None and mine >= limit:
        return _("Your team already runs as many of these as it may (%(limit)d).") % {"limit": limit}
    return ""
