"""What an engine keeps: the claims of every instance become directories of the one volume that an instance has here."""

from dataclasses import dataclass, field
from typing import Any

from engines import catalog_schema as schema
from engines.adoption.findings import Decider, Fields, Notes, Reasons, misfit
from engines.adoption.quantities import mib

UNKNOWN_DATA = "/data"
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a mount point to compare with, no file of ours

_VOLUMES: Reasons = {
    "emptyDir": ("scratch space that is empty at every start; an engine has its container's own disk", Decider.NOBODY),
    "hostPath": (
        "a directory of the node, which engines do not see; put what it holds into the volume",
        Decider.CLUSTER,
    ),
    "persistentVolumeClaim": ("a claim that all instances share is not part of an engine version", Decider.CLUSTER),
    "secret": ("secrets are not part of the catalog", Decider.OPERATOR),
    "configMap": ("files from a ConfigMap are not part of the catalog; put them into the image or the volume", Decider.IMAGE),
    "projected": ("files from secrets and ConfigMaps are not part of the catalog", Decider.OPERATOR),
    "downwardAPI": ("files about the Pod are not part of the catalog", Decider.IMAGE),
    "nfs": ("a file system that all instances share is not part of an engine version", Decider.CLUSTER),
}
_OTHER = ("volumes of this kind are not part of an engine version", Decider.CLUSTER)


@dataclass
class Storage:
    """What of it the catalog can say; `claims` names the volumeClaimTemplates, whose claims hold people's data."""

    data_mount: str | list[dict[str, str]] = UNKNOWN_DATA
    shm_mib: int = 0
    claims: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Kept:
    claim: str
    path: str
    subpath: str
    place: str


def read_storage(template: Fields, pod: Fields, container: Fields) -> Storage:
    """Read the claims of `spec.gameServerTemplate`, the Pod's volumes, and where the engine's container mounts them."""
    storage = Storage([])
    for claim in template.mappings("volumeClaimTemplates"):
        storage.claims.append(_claim(claim))
    volumes = {volume.text("name"): volume for volume in pod.mappings("volumes")}
    kept: list[_Kept] = []
    mounted: set[str] = set()
    for mount in container.mappings("volumeMounts"):
        name, path = mount.text("name"), mount.text("mountPath")
        if name in storage.claims:
            kept += _kept(name, path, mount)
        elif name in volumes:
            mounted.add(name)
            storage.shm_mib = _mounted(volumes[name], path) or storage.shm_mib
            mount.take("readOnly", "subPath", "subPathExpr", "mountPropagation")
        else:
            mount.notes.note(mount.path, f"there is no volume “{name}”, so {path} is not carried over", Decider.OPERATOR)
        mount.report_rest()
    for name in [each for each in volumes if each not in mounted]:
        volumes[name].notes.note(volumes[name].path, "is not mounted by the engine's container and is not carried over")
    storage.data_mount = _data_mount(kept, container)
    return storage


def _claim(claim: Fields) -> str:
    metadata, spec = claim.mapping("metadata"), claim.mapping("spec")
    resources = spec.mapping("resources")
    requests = resources.mapping("requests")
    size = requests.take("storage")
    requests.report_rest()
    resources.report_rest()
    storage_class = spec.text("storageClassName") or "the default storage class"
    spec.notes.note(
        spec.path,
        f"{size or 'a claim'} of {storage_class}: a volume's size is chosen at launch, its storage class by the cluster",
        Decider.CLUSTER,
    )
    spec.take("accessModes", "volumeMode")
    spec.report_rest()
    name = metadata.text("name")
    metadata.take("creationTimestamp")
    metadata.report_rest()
    claim.take("apiVersion", "kind", "status")
    claim.report_rest()
    return name


def _kept(name: str, path: str, mount: Fields) -> list[_Kept]:
    subpath = mount.text("subPath")
    if mount.take("readOnly") is True:
        mount.notes.note(mount.at("readOnly"), f"{path} is writable here", Decider.OPERATOR)
    if mount.take("subPathExpr"):
        mount.notes.note(mount.at("subPathExpr"), f"is different in every Pod, so {path} is not carried over", Decider.OPERATOR)
        return []
    wrong = misfit(schema.AbsolutePath, path) or (misfit(schema.RelativePath, subpath) if subpath else "")
    if wrong:
        mount.notes.note(mount.at("mountPath"), f"“{path}” is not carried over: {wrong}", Decider.OPERATOR)
        return []
    return [_Kept(name, path.rstrip("/"), subpath, mount.path)]


def _mounted(volume: Fields, path: str) -> int:
    """Report a volume that is mounted and not a claim of the instance; shared memory is what can be carried over, in MiB."""
    memory = volume.mapping("emptyDir")
    if path == _SHARED_MEMORY and memory.take("medium") == "Memory":
        size = mib(memory.take("sizeLimit"))
        if size is None:
            memory.notes.note(memory.path, "shared memory without a size limit: choose shm_mib", Decider.OPERATOR)
        return size or 0
    for kind, _ in list(volume.unread()) or [("emptyDir", None)]:
        text, decider = _VOLUMES.get(kind, _OTHER)
        volume.notes.note(volume.path, f"{kind} at {path} is not carried over: {text}", decider)
    return 0


def _data_mount(kept: list[_Kept], container: Fields) -> Any:
    if not kept:
        _nothing_kept(container.path, container.notes)
        return UNKNOWN_DATA
    if len(kept) == 1:
        only = kept[0]
        return [{"path": only.path, "subpath": only.subpath}] if only.subpath else only.path
    several = len({each.claim for each in kept}) > 1
    mounts = []
    for each in kept:
        subpath = "/".join(part for part in (each.claim if several else "", each.subpath) if part) or each.claim
        if subpath != each.subpath:
            text = f"{each.path} becomes the directory {subpath} of the instance's one volume; data that is copied goes there"
            container.notes.note(each.place, text, Decider.OPERATOR)
        mounts.append({"path": each.path, "subpath": subpath})
    return mounts


def _nothing_kept(path: str, notes: Notes) -> None:
    text = f"keeps nothing between two runs: choose the directory to keep; {UNKNOWN_DATA} is a guess"
    notes.note(f"{path}.volumeMounts", text, Decider.OPERATOR)
