"""The shape of a catalog file, as pydantic models. Pure: no Django, no database, no files."""

import re
from datetime import date
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, Strict, StrictBool, model_validator

from engines.activity.schema import Activity
from engines.catalog_entry import Entry, HttpPath, in_form

COMMAND_PLACEHOLDERS = frozenset({"port", "data", "python"})
ROOT_UID = 0
_CONTAINER_FIELDS = ("secret_env", "shared_mounts", "pod_patch")


def _absolute(value: str) -> str:
    if not value.startswith("/") or ".." in PurePosixPath(value).parts or value.strip("/") == "":
        raise ValueError("must be an absolute path below /, without “..”")
    return value.rstrip("/")


def _relative(value: str) -> str:
    if not value or value.startswith("/") or ".." in PurePosixPath(value).parts:
        raise ValueError("must be a relative path without “..”")
    return value.rstrip("/")


def _known_placeholders(value: str) -> str:
    unknown = set(re.findall(r"\{([^{}]*)\}", value)) - COMMAND_PLACEHOLDERS
    if unknown:
        raise ValueError(f"{{{min(unknown)}}} is not a placeholder; use {{port}}, {{data}} or {{python}}")
    return value


def _several_mounts(value: object) -> object:
    """`data_mount: /data` is short for one mount of the whole volume."""
    return [{"path": value}] if isinstance(value, str) else value


def _uid(value: object) -> object:
    if value == "root":
        return ROOT_UID
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise ValueError("must be a numeric user id or root")
    return value


def _fits_a_pod(value: dict[str, Any]) -> dict[str, Any]:
    from engines.clusters.kubernetes.overlay import patch_problem  # noqa: PLC0415 - few catalogs have patches

    if problem := patch_problem(value):
        raise ValueError(f"cannot be laid over a Pod: {problem}")
    return value


_LABEL_PART = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_DNS_NAME = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"

Text = Annotated[str, Strict(), Field(min_length=1)]
Name = Annotated[str, Strict(), Field(min_length=1, max_length=80)]
Summary = Annotated[str, Strict(), Field(min_length=1, max_length=200)]
Slug = Annotated[
    str,
    Strict(),
    in_form(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", "must be 1 to 40 lower-case letters, digits and inner hyphens"),
]
VersionName = Annotated[
    str,
    Strict(),
    in_form(
        r"[A-Za-z0-9][A-Za-z0-9._+-]{0,39}",
        "must be 1 to 40 letters, digits and . _ + -, starting with a letter or digit",
    ),
]
Url = Annotated[str, Strict(), in_form(r"https?://[^\s/]+(/\S*)?", "must be an http:// or https:// address")]
Image = Annotated[
    str,
    Strict(),
    in_form(
        r"[a-z0-9][a-z0-9._-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*"
        r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})",
        "must be an image name with a tag or digest, such as registry.example.com/team/engine:1.2",
    ),
]
EnvName = Annotated[
    str,
    Strict(),
    in_form(r"[A-Za-z_][A-Za-z0-9_]*", "is not a legal environment name: letters, digits and _, not starting with a digit"),
]
Port = Annotated[int, Strict(), Field(ge=1, le=65535)]
Count = Annotated[int, Strict(), Field(ge=1)]
Uid = Annotated[int, BeforeValidator(_uid)]
AbsolutePath = Annotated[str, Strict(), AfterValidator(_absolute)]
RelativePath = Annotated[str, Strict(), AfterValidator(_relative)]
CommandPart = Annotated[str, Strict(), AfterValidator(_known_placeholders)]
LabelKey = Annotated[str, Strict(), in_form(rf"({_DNS_NAME}/)?{_LABEL_PART}", "is not a legal Kubernetes label or resource name")]
LabelValue = Annotated[str, Strict(), in_form(rf"({_LABEL_PART})?", "is not a legal Kubernetes label value")]
AnnotationValue = Annotated[str, Strict()]
Quantity = Annotated[str, Strict(), in_form(r"[0-9]+(\.[0-9]+)?(m|[kMGTPE]i?)?", "is not a Kubernetes quantity, such as 8Gi")]
ObjectName = Annotated[
    str,
    Strict(),
    Field(max_length=253),
    in_form(_DNS_NAME, "must be the name of an object in the cluster, such as shared-models"),
]
SecretKeyName = Annotated[
    str, Strict(), Field(max_length=253), in_form(r"[A-Za-z0-9_.-]+", "must be a key of a secret: letters, digits and . _ -")
]
PodPatch = Annotated[dict[str, Any], AfterValidator(_fits_a_pod)]
Currency = Annotated[str, Strict(), in_form(r"[A-Z]{3}", "must be a three-letter currency code, such as USD")]
Price = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=6)]
Colour = Annotated[str, Strict(), in_form(r"#[0-9a-f]{6}", 'must be a colour such as "#5b6cff", in quotes')]


class Mark(Entry):
    """An engine's icon: one or two characters on a colour."""

    glyph: Annotated[str, Strict(), Field(min_length=1, max_length=2)]
    colour: Colour


class DataMount(Entry):
    """Where a part of the instance's volume appears in the container; no subpath means the whole volume."""

    path: AbsolutePath
    subpath: RelativePath | None = None


class SecretEntry(Entry):
    """One entry of a secret in the tenant's namespace. The secret itself is never part of a catalog."""

    secret: ObjectName
    key: SecretKeyName


class SharedMount(Entry):
    """A claim of the tenant's namespace that every instance may read and none may write, such as its models."""

    claim: ObjectName
    path: AbsolutePath


class EngineVersion(Entry):
    """One immutable way to run an engine: an image for clusters of containers, or a command for local processes."""

    version: VersionName
    title: Name | None = None
    image: Image | None = None
    command: Annotated[list[CommandPart], Field(min_length=1)] | None = None
    port: Port | None = None
    health_path: HttpPath
    health_status: Annotated[int, Strict(), Field(ge=100, le=599)] = 200
    data_mount: Annotated[list[DataMount], BeforeValidator(_several_mounts)] = []
    args: list[Annotated[str, Strict()]] = []
    env: dict[EnvName, Annotated[str, Strict()]] = {}
    secret_env: dict[EnvName, SecretEntry] = {}
    shared_mounts: list[SharedMount] = []
    pod_patch: PodPatch = {}
    startup_limit_seconds: Annotated[int, Strict(), Field(ge=5, le=7200)] = 600
    runs_as: Uid | None = None
    activity: Activity = Activity()
    min_gpu_memory_mib: Count | None = None
    shm_mib: Count | None = None
    status: Literal["draft", "published", "deprecated"] = "draft"
    default: StrictBool = False
    released_at: date | None = None
    source: list[Url] = []
    migrate_command: Annotated[list[CommandPart], Field(min_length=1)] | None = None
    migrates_from: list[VersionName] = []
    notes: Text | None = None

    @model_validator(mode="after")
    def _image_or_command(self) -> Self:
        if (self.image is None) == (self.command is None):
            raise ValueError("needs either “image” or “command”, not both")
        if self.command is not None and not any("{port}" in part for part in self.command):
            raise ValueError("“command” must hand the engine its {port}")
        if self.image is not None and self.port is None:
            raise ValueError("“port” is required with “image”")
        return self

    @model_validator(mode="after")
    def _containers_only(self) -> Self:
        if self.command is not None and (named := [name for name in _CONTAINER_FIELDS if getattr(self, name)]):
            raise ValueError(f"“{named[0]}” belongs to an “image”: a “command” runs as a process of this machine")
        twice = sorted(set(self.env) & set(self.secret_env))
        if twice:
            raise ValueError(f"{twice[0]} is in “env” and in “secret_env”")
        return self

    @model_validator(mode="after")
    def _mounts_apart(self) -> Self:
        if self.image is not None and not self.data_mount:
            raise ValueError("“data_mount” is required with “image”")
        paths = [mount.path for mount in self.data_mount]
        if len(set(paths)) < len(paths):
            raise ValueError("“data_mount” names the same path twice")
        shared = [mount.path for mount in self.shared_mounts]
        if len({*paths, *shared}) < len(paths) + len(shared):
            raise ValueError("“shared_mounts” names a path that is taken already")
        if len(paths) > 1 and not all(mount.subpath for mount in self.data_mount):
            raise ValueError("“data_mount” with several paths needs a “subpath” for each")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.default and self.status != "published":
            raise ValueError("“default” must be a published version")
        if bool(self.migrate_command) != bool(self.migrates_from):
            raise ValueError("“migrate_command” and “migrates_from” belong together")
        return self


class Engine(Entry):
    """A kind of AIGC application; `family` says how its use is told where a version does not."""

    slug: Slug
    name: Name
    summary: Summary
    family: Literal["comfyui", "sd-webui", "gradio", "http"]
    mark: Mark
    homepage: Url | None = None
    versions: Annotated[list[EngineVersion], Field(min_length=1)]


class Toleration(Entry):
    """As in a Pod; no key tolerates every taint of the effect."""

    key: LabelKey | None = None
    operator: Literal["Exists", "Equal"] = "Exists"
    value: LabelValue | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class NodePreference(Entry):
    """A matchExpressions entry of a Pod's preferred node affinity, with its weight in the scheduler's score."""

    weight: Annotated[int, Strict(), Field(ge=1, le=100)]
    key: LabelKey
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: list[LabelValue] = []

    @model_validator(mode="after")
    def _values_when_compared(self) -> Self:
        if (self.operator in {"Exists", "DoesNotExist"}) == bool(self.values):
            raise ValueError(f"operator {self.operator} and “values” do not fit each other")
        return self


class DeviceRequest(Entry):
    """One alternative of a claim; the first that a node can give is taken."""

    name: Slug
    device_class: LabelKey
    count: Count = 1
    cel: list[Text] = []


class DeviceClaim(Entry):
    """What a class asks of dynamic resource allocation, instead of an extended resource."""

    first_available: Annotated[list[DeviceRequest], Field(min_length=1)]


class Discovery(Entry):
    """How nodes advertise a class, so that free devices can be counted; `slots` means that they do not.

    Then `slots` is how many there are wherever a node would take the class, such as the virtual node of a cloud.
    """

    by: Literal["allocatable", "product-label", "replicas", "hami-register", "resource-slices", "slots"]
    slots: Count | None = None

    @model_validator(mode="after")
    def _number_where_none_is_advertised(self) -> Self:
        if self.slots is not None and self.by != "slots":
            raise ValueError("“slots” goes with “by: slots” only: these nodes are counted")
        return self


class GpuClass(Entry):
    """A GPU offer, rendered into a Pod patch; memory and RAM in MiB, CPU in thousandths of a core."""

    slug: Slug
    name: Name
    summary: Summary
    vendor: Literal["nvidia", "amd", "intel", "cpu", "other"]
    sharing: Literal["exclusive", "mig", "time-slicing", "mps", "hami"] = "exclusive"
    memory_mib: Count | None = None
    resource: LabelKey | None = None
    count: Count = 1
    part_millis: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    extra_limits: dict[LabelKey, Quantity] = {}
    node_selector: dict[LabelKey, LabelValue] = {}
    affinity_preferred: list[NodePreference] = []
    tolerations: list[Toleration] = []
    runtime_class_name: Name | None = None
    pod_labels: dict[LabelKey, LabelValue] = {}
    pod_annotations: dict[LabelKey, AnnotationValue] = {}
    scheduler_name: Name | None = None
    dra: DeviceClaim | None = None
    pod_patch: PodPatch = {}
    cpu_millis: Count
    ram_mib: Count
    price_per_hour: Price | None = None
    currency: Currency | None = None
    max_per_tenant: Count | None = None
    discover: Discovery

    @model_validator(mode="after")
    def _one_device_request(self) -> Self:
        if self.vendor == "cpu":
            if self.resource or self.dra or self.memory_mib or self.sharing != "exclusive":
                raise ValueError("a CPU class has no “resource”, “dra”, “memory_mib” or “sharing”")
        elif bool(self.resource) == bool(self.dra):
            raise ValueError("needs either “resource” or “dra”")
        return self

    @model_validator(mode="after")
    def _price_with_currency(self) -> Self:
        if (self.price_per_hour is None) != (self.currency is None):
            raise ValueError("“price_per_hour” and “currency” belong together")
        return self


class ClusterSlots(Entry):
    """How many instances of a class a cluster may run at once, where the cluster itself cannot say."""

    gpu_class: Slug
    slots: Annotated[int, Strict(), Field(ge=0)]


class Cluster(Entry):
    """A place where engines run. Credentials are never part of a catalog."""

    slug: Slug
    name: Name
    kind: Literal["local", "kubernetes"]
    location: Literal["onprem", "cloud"] | None = None
    slots: list[ClusterSlots] = []


class Catalog(Entry):
    """Everything that one or more catalog files say."""

    engines: list[Engine] = []
    gpu_classes: list[GpuClass] = []
    clusters: list[Cluster] = []


def keys_at(location: tuple[Any, ...]) -> list[str]:
    """Name the keys that are legal at a location of a catalog file, such as ("engines", 0, "mark")."""
    model: Any = Catalog
    for part in location:
        if isinstance(part, str):
            field = model.model_fields.get(part) if model else None
            model = _entry_in(field.annotation) if field else None
    return sorted(model.model_fields) if model else []


def _entry_in(annotation: Any) -> type[Entry] | None:
    if isinstance(annotation, type) and issubclass(annotation, Entry):
        return annotation
    inner = (_entry_in(part) for part in getattr(annotation, "__args__", ()))
    return next((entry for entry in inner if entry), None)
