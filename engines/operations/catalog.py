"""Bring the catalog's tables up to date with catalog files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from django.db import connection, models, transaction

from engines import catalog_schema as schema
from engines.catalog_file import CatalogError, Known, read_catalog
from engines.clusters import config_problem, pools_of
from engines.models import Capacity, Cluster, Engine, EngineVersion, GpuClass
from engines.operations.catalog_fields import IN_FILE, engine_fields, gpu_class_fields, version_fields
from engines.operations.versions import FIXED_FIELDS
from tenants.audit.operations import record

# Two loads at once would both try to create the same rows.
_LOCK = 0x41494743_0001
_STATUS_ORDER = [status.value for status in EngineVersion.Status]

_PUBLISHED = "differs from the published version, which does not change; add a new version"
_Row = TypeVar("_Row", bound=models.Model)

Where = Callable[[str, str], str]
"""Section and slug to the words that begin a problem: which file, which entry."""


@dataclass(frozen=True)
class Summary:
    """What a load did to each row ("engine ComfyUI"); `priced` are the classes whose prices billing may apply.

    `kept` are rows that differ from the catalog and were left alone because the caller asked for that.
    """

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    priced: list[schema.GpuClass] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.created and not self.changed and not self.kept:
            return f"unchanged: all {len(self.unchanged)} entries are as in the files"
        kept = f", {len(self.kept)} kept though they differ" if self.kept else ""
        return f"{len(self.created)} created, {len(self.changed)} changed, {len(self.unchanged)} unchanged{kept}"


def load_files(paths: Sequence[Path]) -> Summary:
    """Load catalog files that may refer to each other: all or nothing. CatalogError holds every problem."""
    loaded = _known()
    catalog = read_catalog(paths[0], *paths[1:], known=loaded)
    together = Known(
        gpu_classes=loaded.gpu_classes | {each.slug for each in catalog.gpu_classes},
        versions=dict(loaded.versions) | {each.slug: frozenset(v.version for v in each.versions) for each in catalog.engines},
    )
    origins: dict[tuple[str, str], Path] = {}
    for path in paths:
        own = read_catalog(path, known=together)
        origins |= {(section, each.slug): path for section in schema.Catalog.model_fields for each in getattr(own, section)}
    return load_catalog(catalog, where=lambda section, slug: f"{origins[section, slug]}: {section}[{slug}]")


@transaction.atomic
def load_catalog(catalog: schema.Catalog, *, where: Where = "{}[{}]".format, keep: bool = False) -> Summary:
    """Create and update what the catalog names; rows that it does not name are left alone. With `keep`, only create.

    All or nothing: CatalogError names every entry that contradicts what is published. A status only moves forward, so that
    loading a file again does not undo what an operator has published or deprecated since.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    load = _Load(where, keep=keep)
    for gpu_class in catalog.gpu_classes:
        load.put(GpuClass.objects, {"slug": gpu_class.slug}, gpu_class_fields(gpu_class), f"GPU class {gpu_class.slug}")
    for engine in catalog.engines:
        load.put_engine(engine)
    for cluster in catalog.clusters:
        load.put_cluster(cluster)
    if load.problems:
        raise CatalogError(load.problems)
    if load.summary.created or load.summary.changed:
        record("catalog.loaded", actor=None, details={"created": load.summary.created, "changed": load.summary.changed})
    load.summary.priced.extend(each for each in catalog.gpu_classes if each.price_per_hour is not None)
    return load.summary


class _Load:
    """One load under way: what it did so far, and what stands against it."""

    def __init__(self, where: Where, *, keep: bool) -> None:
        self.where = where
        self.keep = keep
        self.summary = Summary()
        self.problems: list[str] = []

    def put(self, rows: models.Manager[_Row], key: dict[str, Any], fields: dict[str, Any], label: str) -> _Row:
        """Make the row with this key have these fields."""
        row = rows.select_for_update(no_key=True).filter(**key).first()
        if row is None:
            self.summary.created.append(label)
            return rows.create(**key, **fields)
        differing = [name for name, value in fields.items() if getattr(row, name) != value]
        if differing and self.keep:
            self.summary.kept.append(label)
            return row
        for name in differing:
            setattr(row, name, fields[name])
        if differing:
            row.save(update_fields=differing)
        (self.summary.changed if differing else self.summary.unchanged).append(label)
        return row

    def put_engine(self, engine: schema.Engine) -> None:
        """The engine and its versions."""
        row = self.put(Engine.objects, {"slug": engine.slug}, engine_fields(engine), f"engine {engine.slug}")
        for version in engine.versions:
            self.put_version(row, version, f"{self.where('engines', engine.slug)}.versions[{version.version}]")

    def put_version(self, engine: Engine, version: schema.EngineVersion, place: str) -> None:
        """One version, unless the file contradicts what was published under its name."""
        if version.health_status != 200:
            self.problems.append(f"{place}.health_status: only 200 counts as ready; choose a health path that answers with it")
            return
        fields = version_fields(version)
        status: str = version.status
        row = EngineVersion.objects.filter(engine=engine, version=version.version).first()
        if row is not None and row.status != EngineVersion.Status.DRAFT:
            # What was published before versions could tell of their activity may be given it once, as the trigger has it.
            fixed = FIXED_FIELDS if row.activity else [name for name in FIXED_FIELDS if name != "activity"]
            contradicting = [] if self.keep else [name for name in fixed if name in fields and getattr(row, name) != fields[name]]
            self.problems += [f"{place}.{IN_FILE.get(name, name)}: {_PUBLISHED}" for name in contradicting]
            if contradicting:
                return
            status = max(row.status, status, key=_STATUS_ORDER.index)
        if version.default and status == EngineVersion.Status.PUBLISHED:
            EngineVersion.objects.filter(engine=engine, is_default=True).exclude(version=version.version).update(is_default=False)
            fields["is_default"] = True
        elif status == EngineVersion.Status.DEPRECATED:
            fields["is_default"] = False
        key = {"engine": engine, "version": version.version}
        self.put(EngineVersion.objects, key, fields | {"status": status}, f"version {engine.slug} {version.version}")

    def put_cluster(self, cluster: schema.Cluster) -> None:
        """The cluster and its slots; what else an operator has configured stays."""
        row = Cluster.objects.filter(slug=cluster.slug).first()
        if row is not None and row.kind != cluster.kind:
            self.problems.append(
                f"{self.where('clusters', cluster.slug)}.kind: is {row.kind} already and does not change; "
                "add a cluster under another slug"
            )
            return
        if problem := config_problem(cluster.kind, cluster.slug, {}):
            self.problems.append(f"{self.where('clusters', cluster.slug)}.kind: {problem}")
            return
        slots = {each.gpu_class: each.slots for each in cluster.slots}
        if slots and row is not None and pools_of(row) != ("",):
            where = self.where("clusters", cluster.slug)
            self.problems.append(f"{where}.slots: its nodes are divided; set them by pool in the cluster's own configuration")
            return
        config = dict(row.config) if row is not None else {}
        if slots:
            config["slots"] = config.get("slots", {}) | slots
        fields = {"name": cluster.name, "kind": cluster.kind, "config": config}
        if cluster.location is not None:
            fields["location"] = cluster.location
        row = self.put(Cluster.objects, {"slug": cluster.slug}, fields, f"cluster {cluster.slug}")
        for slug, number in slots.items():
            key = {"cluster": row, "gpu_class": GpuClass.objects.get(slug=slug), "pool": ""}
            self.put(Capacity.objects, key, {"slots": number}, f"capacity {cluster.slug} {slug}")


def _known() -> Known:
    """What files may refer to because it was loaded before."""
    versions: dict[str, frozenset[str]] = {}
    for engine, version in EngineVersion.objects.values_list("engine__slug", "version"):
        versions[engine] = versions.get(engine, frozenset()) | {version}
    return Known(gpu_classes=frozenset(GpuClass.objects.values_list("slug", flat=True)), versions=versions)
