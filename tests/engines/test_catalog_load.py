"""Loading catalog files into the database."""

from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from engines.catalog_file import CatalogError
from engines.models import Capacity, Cluster, Engine, EngineVersion, GpuClass
from engines.operations.catalog import load_files
from engines.operations.versions import FIXED_FIELDS, deprecate_version, publish_version

pytestmark = pytest.mark.django_db

DEMO = Path(__file__).parents[2] / "catalog" / "demo.yaml"
ENGINES = """
engines:
  - slug: brush
    name: Brush
    summary: Paints.
    family: http
    mark: {glyph: Br, colour: "#112233"}
    versions:
      - version: "1"
        image: registry.example.org/brush:1
        port: 7860
        health_path: /up
        data_mount: /data
        env: {MODE: fast}
        status: %(status)s
        default: %(default)s
        notes: %(notes)s
"""
PLACES = """
clusters:
  - slug: here
    name: Here
    kind: local
    slots: [{gpu_class: tiny, slots: %(slots)d}]
"""
CLASSES = """
gpu_classes:
  - slug: tiny
    name: Tiny
    summary: One CPU.
    vendor: cpu
    cpu_millis: 500
    ram_mib: 256
    price_per_hour: "0.10"
    currency: USD
    discover: {by: slots}
"""


@pytest.fixture
def write(tmp_path):
    def write(name="engines.yaml", text=ENGINES, **fields):
        path = tmp_path / name
        defaults = {"status": "published", "default": "true", "notes": "none", "slots": 2}
        path.write_text(text % (defaults | fields) if "%(" in text else text)
        return path

    return write


def run(*paths) -> str:
    out = StringIO()
    call_command("load_catalog", *map(str, paths), stdout=out)
    return out.getvalue().strip()


def refusal(*paths) -> list[str]:
    with pytest.raises(CatalogError) as caught:
        load_files(paths)
    return caught.value.problems


def test_the_demo_catalog_loads_and_a_second_load_changes_nothing():
    first = load_files([DEMO])
    assert (len(first.created), first.changed, first.unchanged) == (8, [], [])
    assert [(each.slug, each.price_per_hour, each.currency) for each in first.priced] == [
        ("cpu-small", Decimal("0.36"), "USD"),
        ("cpu-large", Decimal("0.90"), "USD"),
    ]
    assert Cluster.objects.get().config == {"slots": {"cpu-small": 3, "cpu-large": 1}}
    assert set(Capacity.objects.values_list("gpu_class__slug", "slots")) == {("cpu-small", 3), ("cpu-large", 1)}
    default = EngineVersion.objects.get(is_default=True)
    assert (str(default), default.status, default.port, default.image) == ("Loom 2", "published", 0, "")
    assert run(DEMO) == "unchanged: all 8 entries are as in the files"


def test_all_shipped_catalogs_load_together_and_twice():
    paths = sorted(DEMO.parent.glob("*.yaml"))
    created = len(load_files(paths).created)
    second = load_files(paths)
    assert (second.created, second.changed, len(second.unchanged)) == ([], [], created)


def test_fields_arrive_as_the_models_keep_them(write):
    load_files([write()])
    version = EngineVersion.objects.get()
    assert version.environment == {"MODE": "fast"}
    assert version.data_mounts == [{"path": "/data"}]
    assert (version.command, version.args, version.run_as, version.shm_mib) == ([], [], "", 0)
    assert (version.engine.mark, version.engine.mark_colour) == ("Br", "#112233")


def test_files_may_refer_to_each_other_in_any_order(write):
    load_files([write("places.yaml", PLACES), write("classes.yaml", CLASSES)])
    assert str(Capacity.objects.get()) == "2 × Tiny @ Here"


def test_a_file_may_refer_to_what_was_loaded_before(write):
    load_files([write("classes.yaml", CLASSES)])
    load_files([write("places.yaml", PLACES)])
    assert Capacity.objects.get().slots == 2


def test_changes_are_applied_and_rows_that_are_not_named_are_left_alone(write):
    GpuClass.objects.create(slug="own", name="Own")
    load_files([write("classes.yaml", CLASSES), write("places.yaml", PLACES)])
    cluster = Cluster.objects.get()
    cluster.config["root"] = "/srv/engines"
    cluster.enabled = False
    cluster.save()
    summary = load_files([write("places.yaml", PLACES, slots=5)])
    assert summary.changed == ["cluster here", "capacity here tiny"]
    cluster.refresh_from_db()
    assert cluster.config == {"root": "/srv/engines", "slots": {"tiny": 5}}
    assert not cluster.enabled
    assert Capacity.objects.get().slots == 5
    assert GpuClass.objects.filter(slug="own").exists()


def test_slots_without_a_pool_are_refused_for_a_cluster_that_is_divided(write):
    load_files([write("classes.yaml", CLASSES), write("places.yaml", PLACES)])
    config = {"pools": {"onprem": {}, "cloud": {}}, "slots": {"cloud/tiny": 3}}
    Cluster.objects.update(kind="kubernetes", config=config)
    with pytest.raises(CatalogError, match=r"slots: its nodes are divided; set them by pool in the cluster's own configuration"):
        load_files([write("places.yaml", PLACES.replace("local", "kubernetes"), slots=5)])
    assert Cluster.objects.get().config == config


def test_a_draft_may_change_and_a_published_version_may_not(write):
    load_files([write(status="draft", default="false")])
    path = write(text=ENGINES.replace("7860", "7861"))
    load_files([path])
    assert EngineVersion.objects.get().port == 7861
    other = write(text=ENGINES.replace("MODE: fast", "MODE: slow"), notes="changed")
    assert refusal(other) == [
        f"{other}: engines[brush].versions[1].port: differs from the published version, which does not change; add a new version",
        f"{other}: engines[brush].versions[1].env: differs from the published version, which does not change; add a new version",
    ]
    version = EngineVersion.objects.get()
    assert (version.port, version.environment, version.notes) == (7861, {"MODE": "fast"}, "none")


def test_a_published_version_is_told_of_its_activity_once(write):
    """So that a catalog of a newer release still loads over what an older one published."""
    plain = write()
    text = plain.read_text()
    assert text.count("health_path: ") == 1
    where = text.index("health_path: ")
    told = plain.with_name("told.yaml")
    told.write_text(text[:where] + "activity: {websocket_is_user: true}\n        " + text[where:])
    load_files([plain])
    EngineVersion.objects.update(status="published")
    load_files([told])
    version = EngineVersion.objects.get()
    assert (version.status, version.activity) == ("published", {"websocket_is_user": True})
    [problem] = refusal(plain)
    assert problem.endswith(".activity: differs from the published version, which does not change; add a new version")
    assert EngineVersion.objects.get().activity == {"websocket_is_user": True}


def test_notes_of_a_published_version_may_change(write):
    load_files([write()])
    assert load_files([write(notes="better")]).changed == ["version brush 1"]
    assert EngineVersion.objects.get().notes == "better"


def test_a_refused_entry_keeps_all_others_out(write):
    load_files([write()])
    bad = write(text=ENGINES.replace("7860", "1"))
    with pytest.raises(CommandError) as caught:
        run(write("classes.yaml", CLASSES), bad)
    assert caught.value.returncode == 1
    assert str(caught.value).splitlines()[-1] == "Nothing was loaded."
    assert not GpuClass.objects.exists()


def test_all_problems_of_a_bad_file_are_named_and_nothing_is_written(write):
    text = CLASSES.replace("vendor: cpu", "vendor: none").replace("cpu_millis: 500", "cpu_millis: 0")
    bad = write("classes.yaml", text)
    with pytest.raises(CommandError) as caught:
        run(write(), bad)
    problems = str(caught.value).splitlines()
    assert [problem.split(": ")[:2] for problem in problems[:2]] == [
        [f"{bad}:6", "gpu_classes[0].vendor"],
        [f"{bad}:7", "gpu_classes[0].cpu_millis"],
    ]
    assert len(problems) == 3
    assert not Engine.objects.exists()


def test_a_load_does_not_take_back_what_an_operator_decided(write):
    path = write(status="draft", default="false")
    load_files([path])
    version = EngineVersion.objects.get()
    publish_version(version=version)
    load_files([path])
    assert EngineVersion.objects.get().status == "published"
    deprecate_version(version=version)
    load_files([write()])
    version.refresh_from_db()
    assert (version.status, version.is_default) == ("deprecated", False)


def test_a_new_default_takes_over(write):
    load_files([write()])
    text = ENGINES.replace('version: "1"', 'version: "2"')
    load_files([write(text=text)])
    assert list(EngineVersion.objects.filter(is_default=True).values_list("version", flat=True)) == ["2"]


def test_the_kind_of_a_cluster_does_not_change(write):
    load_files([write("classes.yaml", CLASSES), write("places.yaml", PLACES)])
    path = write("places.yaml", PLACES.replace("local", "kubernetes"))
    assert refusal(path) == [
        f"{path}: clusters[here].kind: is local already and does not change; add a cluster under another slug"
    ]


def test_a_kubernetes_cluster_keeps_what_operators_configured(write):
    classes, path = write("classes.yaml", CLASSES), write("places.yaml", PLACES.replace("local", "kubernetes"))
    load_files([classes, path])
    cluster = Cluster.objects.get()
    assert (cluster.kind, cluster.location) == ("kubernetes", "onprem")
    slots = cluster.config["slots"]
    Cluster.objects.update(config=cluster.config | {"context": "production"}, location="cloud")
    load_files([classes, path])
    cluster.refresh_from_db()
    assert (cluster.config, cluster.location) == ({"slots": slots, "context": "production"}, "cloud")


def test_a_location_in_the_file_counts(write):
    text = PLACES.replace("kind: local", "kind: local\n    location: cloud")
    load_files([write("classes.yaml", CLASSES), write("places.yaml", text)])
    assert Cluster.objects.get().location == "cloud"


def test_a_health_status_that_the_portal_cannot_await_is_refused(write):
    path = write(text=ENGINES.replace("health_path: /up", "health_path: /up\n        health_status: 204"))
    assert refusal(path) == [
        f"{path}: engines[brush].versions[1].health_status: only 200 counts as ready; choose a health path that answers with it"
    ]
    assert not Engine.objects.exists()


def test_the_fixed_fields_are_those_that_the_database_refuses_to_change(write):
    load_files([write()])
    version = EngineVersion.objects.get()
    EngineVersion.objects.update(activity={"websocket_is_user": True})  # told once; from then on it is fixed
    other = {"engine": Engine.objects.create(slug="other", name="Other"), "port": 1, "startup_limit_seconds": 1, "shm_mib": 1}
    texts = {"version", "title", "image", "health_path", "run_as", "notes"}
    for field in EngineVersion._meta.concrete_fields:
        if field.name in {"id", "status"}:
            continue
        value = other.get(field.name, "x" if field.name in texts else None)
        value = {"is_default": False, "min_gpu_memory_mib": 1, "released_at": "2026-01-01"}.get(field.name, value)
        try:
            with transaction.atomic():
                EngineVersion.objects.filter(pk=version.pk).update(**{field.name: ["x"] if value is None else value})
                transaction.set_rollback(True)
            refused = False
        except IntegrityError:
            refused = True
        assert (field.name, refused) == (field.name, field.name in FIXED_FIELDS)
