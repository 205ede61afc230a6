"""The choices of a launch: what was wanted, completed by what was launched last and what is on offer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from engines.amounts import Amount, launch_of
from engines.models import Engine, EngineVersion, GpuClass, Instance, Volume
from engines.queries.launching import (
    ClassOption,
    EngineOption,
    class_options,
    last_launch,
    offered_version,
    suggested_name,
    usable_class,
)
from engines.queries.volumes import attachable_volumes
from engines.quotas import Standing
from tenants.models import Membership

T = TypeVar("T")
DEFAULT_SIZE_GIB = 50


@dataclass(frozen=True)
class VolumeOption:
    """Kept data that could be attached; `readable`: True, False, or None if another version of the engine wrote it."""

    volume: Volume
    readable: bool | None


@dataclass(frozen=True)
class Choices:
    """One consistent set of choices together with everything else on offer."""

    engines: Sequence[EngineOption]
    engine: Engine
    versions: Sequence[EngineVersion]
    version: EngineVersion
    volumes: Sequence[VolumeOption]
    storage: str
    volume: Volume | None
    options: Sequence[ClassOption]
    option: ClassOption | None
    size_gib: str
    name: str
    suggested: str
    tag: str

    @property
    def runnable_engines(self) -> list[EngineOption]:
        """Return the engines that some cluster here can run."""
        return [each for each in self.engines if each.runnable]

    @property
    def foreign_engines(self) -> list[EngineOption]:
        """Return the engines that no cluster here can run."""
        return [each for each in self.engines if not each.runnable]

    @property
    def is_foreign(self) -> bool:
        """Whether the chosen engine is one that no cluster here can run."""
        return any(each.engine == self.engine for each in self.foreign_engines)

    @property
    def present_options(self) -> list[ClassOption]:
        """Return the GPU classes that exist here; one may be refused now, say because the tenant uses all it may."""
        return [each for each in self.options if each.total]

    @property
    def absent_options(self) -> list[ClassOption]:
        """Return the GPU classes that no cluster here has for this version."""
        return [each for each in self.options if not each.total]

    def amount(self, owner_id: int) -> Amount | None:
        """Return what the launch would add, as far as it can be told."""
        if self.option is None:
            return None
        new_gib = int(self.size_gib) if self.storage == "new" and self.size_gib.isdecimal() and len(self.size_gib) < 6 else 0
        return launch_of(owner_id, self.option.gpu_class, size_gib=new_gib)

    @property
    def initial(self) -> dict[str, object]:
        """Return the form's fields."""
        return {
            "engine": self.engine.slug,
            "version": self.version.version,
            "gpu_class": self.option.gpu_class.slug if self.option else "",
            "storage": self.storage,
            "size_gib": self.size_gib,
            "volume": self.volume.slug if self.volume else "",
            "name": self.name,
            "tag": self.tag,
        }


@dataclass(frozen=True)
class Launchable:
    """What a posted form names; `volume` is None for new data, and for data that cannot be attached."""

    version: EngineVersion
    gpu_class: GpuClass
    volume: Volume | None


def choices_of(membership: Membership, standing: Standing, engines: Sequence[EngineOption], wanted: Mapping[str, str]) -> Choices:
    """Complete what was wanted; what is not on offer is replaced, never invented."""
    latest = last_launch(membership)
    runnable = {each.engine.pk for each in engines if each.runnable}
    last = latest if latest and latest.engine_version.engine_id in runnable else None
    offer = _first(
        (each for each in engines if each.engine.slug == wanted.get("engine")),
        (each for each in engines if "engine" not in wanted and last and each.engine.pk == last.engine_version.engine_id),
        engines,
    )
    version = _first(
        (each for each in offer.versions if each.version == wanted.get("version")),
        (each for each in offer.versions if "version" not in wanted and last and each.pk == last.engine_version_id),
        offer.versions,
    )
    volumes = _volume_options(membership, version)
    storage = "attach" if wanted.get("storage") == "attach" and volumes else "new"
    volume = _chosen_volume(volumes, wanted.get("volume", "")) if storage == "attach" else None
    options = class_options(standing, version, volume)
    suggested = suggested_name(membership, offer.engine)
    typed = wanted.get("name", "")
    return Choices(
        engines=engines,
        engine=offer.engine,
        versions=offer.versions,
        version=version,
        volumes=volumes,
        storage=storage,
        volume=volume,
        options=options,
        option=_chosen_option(options, wanted, last),
        size_gib=wanted.get("size_gib") or str(last.volume.size_gib if last else DEFAULT_SIZE_GIB),
        name=suggested if typed in {"", wanted.get("suggested", "")} else typed,
        suggested=suggested,
        tag=wanted.get("tag", latest.tag if latest else ""),
    )


def _first(*alternatives: Iterable[T]) -> T:
    return next(each for alternative in alternatives for each in alternative)


def launchable(membership: Membership, wanted: Mapping[str, str]) -> Launchable | None:
    """Return what exactly these choices name, None if one of them is not on offer: without looking at all the others."""
    version = offered_version(wanted["engine"], wanted["version"])
    if version is None:
        return None
    attached = wanted["storage"] == "attach"
    volume = _chosen_volume(_volume_options(membership, version), wanted["volume"]) if attached else None
    gpu_class = usable_class(membership, version, volume, wanted["gpu_class"])
    return None if gpu_class is None else Launchable(version, gpu_class, volume)


def _volume_options(membership: Membership, version: EngineVersion) -> list[VolumeOption]:
    return [VolumeOption(each, each.readable_by(version)) for each in attachable_volumes(membership)]


def _chosen_volume(volumes: Iterable[VolumeOption], slug: str) -> Volume | None:
    fitting = (each.volume for each in volumes if each.readable is not False)
    return next((volume for volume in fitting if volume.slug == slug), None)


def _chosen_option(options: Sequence[ClassOption], wanted: Mapping[str, str], last: Instance | None) -> ClassOption | None:
    """Return the class that was wanted, else that of the last launch, else the first usable one with a free GPU."""
    usable = [each for each in options if not each.refusal]
    if "gpu_class" in wanted and "update" not in wanted:
        return next((each for each in usable if each.gpu_class.slug == wanted["gpu_class"]), None)
    ranked = sorted(usable, key=lambda each: (_rank(each, wanted, last), not each.free))
    return ranked[0] if ranked else None


def _rank(option: ClassOption, wanted: Mapping[str, str], last: Instance | None) -> int:
    if option.gpu_class.slug == wanted.get("gpu_class"):
        return 0
    return 1 if last and option.gpu_class.pk == last.gpu_class_id else 2
