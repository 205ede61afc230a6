"""`manage.py import_gameserversets`: drafts are added, nothing else is touched, and a refusal writes nothing."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from engines.adoption.documents import AdoptionError
from engines.catalog_file import read_catalog
from engines.clusters.base import ClusterUnavailable
from engines.management.commands.import_gameserversets import read_cluster
from engines.models import Cluster, Engine, EngineVersion, GpuClass
from engines.operations.versions import publish_version

pytestmark = pytest.mark.django_db

TEMPLATES = Path(__file__).parent / "gameserversets"
SD, ECI, COMFYUI = (TEMPLATES / f"{name}.yaml" for name in ("sd-webui", "eci", "comfyui"))
UNCHANGED = "unchanged: all 3 entries are as in the files. Versions are drafts: decide what is to be decided, then publish them."


def run(*args: Any, **options: Any) -> str:
    out = io.StringIO()
    call_command("import_gameserversets", *map(str, args), stdout=out, **options)
    return out.getvalue()


def last_line(*args: Any, **options: Any) -> str:
    return run(*args, **options).strip().splitlines()[-1]


def rows() -> tuple[int, int, int]:
    return Engine.objects.count(), EngineVersion.objects.count(), GpuClass.objects.count()


def test_templates_become_drafts_and_classes():
    assert last_line(SD, ECI, COMFYUI) == (
        "22 created, 0 changed, 0 unchanged. Versions are drafts: decide what is to be decided, then publish them."
    )
    assert rows() == (7, 7, 8)
    assert set(EngineVersion.objects.values_list("status", "is_default")) == {("draft", False)}
    version = EngineVersion.objects.get(engine__slug="comfyui-4090")
    assert (version.version, version.port, version.run_as, version.shm_mib, version.startup_limit_seconds) == (
        "0.3.10",
        8188,
        "0",
        8192,
        1200,
    )
    assert version.data_mounts == [{"path": "/data", "subpath": "data"}, {"path": "/out", "subpath": "out/results"}]
    gpu_class = GpuClass.objects.get(slug="eci-nvidia-gpu-4c-16g-f825d0")
    assert gpu_class.pod_labels == {"alibabacloud.com/eci": "true"}
    assert (gpu_class.resource, gpu_class.count, gpu_class.discover) == ("nvidia.com/gpu", 1, {"by": "slots"})


def test_a_second_import_changes_nothing():
    run(COMFYUI)
    assert last_line(COMFYUI) == UNCHANGED
    assert rows() == (1, 1, 1)


def test_what_operators_made_of_an_import_is_kept():
    run(COMFYUI)
    Engine.objects.update(name="ComfyUI", family="http")
    version = EngineVersion.objects.get()
    version.args = ["--listen"]
    version.save()
    publish_version(version=version)
    out = run(COMFYUI)
    assert "engine comfyui-4090 is in the catalog already, with other contents, and stays as it is\n" in out
    assert "version comfyui-4090 0.3.10 is in the catalog already, with other contents, and stays as it is\n" in out
    assert out.strip().splitlines()[-1].startswith("0 created, 0 changed, 1 unchanged, 2 kept though they differ.")
    version.refresh_from_db()
    assert (version.args, version.status, version.engine.name) == (["--listen"], "published", "ComfyUI")


def test_a_published_version_that_is_as_imported_is_unchanged():
    run(COMFYUI)
    publish_version(version=EngineVersion.objects.get())
    assert last_line(COMFYUI) == UNCHANGED
    assert EngineVersion.objects.get().status == "published"


def test_a_template_with_a_newer_image_becomes_a_further_version(tmp_path):
    run(COMFYUI)
    newer = tmp_path / "newer.yaml"
    newer.write_text(COMFYUI.read_text().replace("comfyui:0.3.10", "comfyui:0.4.0"))
    assert last_line(newer).startswith("1 created, 0 changed, 2 unchanged.")
    assert list(Engine.objects.get().versions.order_by("version").values_list("version", flat=True)) == ["0.3.10", "0.4.0"]


def test_the_report_leads_from_each_template_to_what_it_became_and_what_is_open():
    lines = run(ECI, COMFYUI).splitlines()
    start = lines.index(f"default/captions-eci in {ECI}, document 2")
    where = "    spec.gameServerTemplate."
    assert lines[start : start + 5] == [
        f"default/captions-eci in {ECI}, document 2",
        "  becomes captions-eci 3 and GPU class eci-cpu-2c-4g-23e55a",
        "  to be decided:",
        (
            f"{where}volumeClaimTemplates[0].spec: 1Gi of the default storage class: a volume's size is chosen at launch, "
            "its storage class by the cluster (cluster administrator)"
        ),
        (
            f"{where}spec.containers[0].image: no family is recognised, so its use is read from its web traffic alone; "
            "change family if it is another (operator)"
        ),
    ]
    assert "Not read: Service in document 1" in lines


def test_a_dry_run_says_the_same_and_writes_nothing():
    assert last_line(COMFYUI, dry_run=True) == "Would be: 3 created, 0 changed, 0 unchanged. Nothing was written."
    assert rows() == (0, 0, 0)


def test_a_catalog_file_for_review_is_written_instead_and_loads(tmp_path):
    path = tmp_path / "adopted.yaml"
    assert last_line(SD, output=str(path)) == f"Written to {path}. Correct it, then: manage.py load_catalog {path}"
    assert rows() == (0, 0, 0)
    assert len(read_catalog(path).engines) == 4
    call_command("load_catalog", str(path), verbosity=0, stdout=io.StringIO())
    assert rows() == (4, 4, 5)
    with pytest.raises(CommandError, match=f"{path} cannot be written: File exists"):
        run(SD, output=str(path))


def test_standard_output_holds_the_catalog_alone():
    err = io.StringIO()
    out = run(COMFYUI, output="-", stderr=err)
    assert [each["slug"] for each in yaml.safe_load(out)["engines"]] == ["comfyui-4090"]
    assert err.getvalue().startswith(f"studio/comfyui-4090 in {COMFYUI}, document 1\n")


def test_standard_input_is_read(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(COMFYUI.read_bytes())))
    assert run("-").startswith("studio/comfyui-4090 in standard input, document 1\n")
    assert rows() == (1, 1, 1)


def test_one_wrong_template_refuses_all_files_and_names_every_problem(tmp_path):
    broken, missing, binary = tmp_path / "broken.yaml", tmp_path / "missing.yaml", tmp_path / "binary.yaml"
    broken.write_text("a: [")
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(CommandError) as caught:
        run(SD, broken, missing, binary)
    assert str(caught.value).splitlines() == [
        f"{broken}:1: is not YAML: expected the node content, but found '<stream end>'",
        f"{missing}:1: cannot be read: No such file or directory",
        f"{binary}:1: is not UTF-8 text: byte 0 is wrong",
        "Nothing was imported.",
    ]
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(COMFYUI.read_text().replace("image: registry.example.com/comfyui:0.3.10", "tty: true"))
    with pytest.raises(CommandError) as caught:
        run(SD, wrong)
    assert str(caught.value) == (
        f"{wrong}:47: document 1: items[0].spec.gameServerTemplate.spec.containers[1].image: is required\nNothing was imported."
    )
    assert rows() == (0, 0, 0)


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        ([], "one of the arguments FILE --cluster is required"),
        ([COMFYUI, "--label", "aigc"], "--label aigc: write it as KEY=VALUE."),
        (["--cluster", "nowhere"], "There is no cluster “nowhere”."),
        (["--cluster", "desk"], "“desk” is no Kubernetes cluster, so it has no GameServerSets."),
        ([COMFYUI, "--namespace", "default"], "no GameServerSet has these namespaces and labels\nNothing was imported."),
    ],
)
def test_impossible_wishes_are_refused(args, problem):
    Cluster.objects.create(slug="desk", name="Desk", kind="local")
    with pytest.raises(CommandError) as caught:
        run(*args)
    assert problem in str(caught.value)
    assert rows() == (0, 0, 0)


def test_labels_choose():
    run(COMFYUI, label=["aigc=yes", "team=art"], namespace=["studio"])
    assert rows() == (1, 1, 1)


class Listing:
    """What a Kubernetes API would list; remembers what it was asked."""

    def __init__(self, items: list[dict[str, Any]], error: Exception | None = None) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._items, self._error = items, error

    def items(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        self.asked.append((path, query))
        yield from self._items
        if self._error is not None:
            raise self._error


def test_a_cluster_is_asked_once_for_all_gameserversets():
    documents = list(yaml.safe_load_all(ECI.read_text()))
    client = Listing(documents)
    assert [str(each) for each in read_cluster(client, "lab").sources] == [
        "default/fooocus-eci in cluster lab",
        "default/captions-eci in cluster lab",
    ]
    assert client.asked == [("/apis/game.kruise.io/v1alpha1/gameserversets", {})]


def test_a_cluster_that_breaks_off_gives_nothing():
    with pytest.raises(AdoptionError) as caught:
        read_cluster(Listing([{}], ClusterUnavailable("connection refused")), "lab")
    assert caught.value.problems == ["cluster lab: connection refused"]
