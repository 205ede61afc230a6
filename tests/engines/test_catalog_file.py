"""Catalog files: what is shipped is valid, and what is wrong is named with its line, path and cure."""

from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.activity.families import probe_of
from engines.catalog_file import CatalogError, Known, read_catalog
from engines.catalog_schema import Catalog, Entry

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/guides/catalog.md"
SHIPPED = sorted((ROOT / "catalog").glob("*.yaml"))

ENGINE = """\
engines:
  - slug: easel
    name: Easel
    summary: Paints.
    family: gradio
    mark: {glyph: Ea, colour: "#336699"}
    versions:
      - version: "1"
        image: registry.example.com/easel:1
        port: 7860
        health_path: /
        data_mount: /data
"""

COMMAND = ENGINE.replace("image: registry.example.com/easel:1", "command: [easel, '{port}']")

GPU_CLASS = """\
gpu_classes:
  - slug: l4
    name: L4
    summary: One card.
    vendor: nvidia
    resource: nvidia.com/gpu
    cpu_millis: 4000
    ram_mib: 16384
    discover: {by: allocatable}
"""

CLUSTER = """\
clusters:
  - {slug: lab, name: Lab, kind: local, slots: [{gpu_class: l4, slots: 2}]}
"""


def read(tmp_path: Path, *texts: str, known: Known | None = None) -> Catalog:
    paths = [tmp_path / f"{name}.yaml" for name, _ in zip("abc", texts, strict=False)]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(dedent(text))
    return read_catalog(*paths, known=known)


def problems(tmp_path: Path, *texts: str, known: Known | None = None) -> list[str]:
    with pytest.raises(CatalogError) as raised:
        read(tmp_path, *texts, known=known)
    assert str(raised.value) == "\n".join(raised.value.problems)
    return [problem.replace(f"{tmp_path}/", "") for problem in raised.value.problems]


def with_line(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_file_is_valid(path: Path) -> None:
    catalog = read_catalog(path)
    assert catalog.engines or catalog.gpu_classes or catalog.clusters


def test_shipped_files_are_valid_together() -> None:
    read_catalog(*SHIPPED)


def test_every_shipped_image_names_its_sources() -> None:
    versions = [version for engine in read_catalog(*SHIPPED).engines for version in engine.versions if version.image]
    assert [version.image for version in versions if not version.source] == []


def test_the_guide_s_example_is_valid(tmp_path: Path) -> None:
    example = GUIDE.read_text().split("```yaml\n")[1].split("```")[0]
    assert [engine.slug for engine in read(tmp_path, example).engines] == ["easel"]


def test_the_guide_names_every_field() -> None:
    guide = GUIDE.read_text()
    fields = {field for model in Entry.__subclasses__() if model is not Catalog for field in model.model_fields}
    assert sorted(field for field in fields if f"`{field}`" not in guide) == []


def test_a_file_becomes_a_catalog(tmp_path: Path) -> None:
    catalog = read(tmp_path, ENGINE + GPU_CLASS + CLUSTER)
    version = catalog.engines[0].versions[0]
    assert (version.status, version.default, version.health_status, version.startup_limit_seconds) == ("draft", False, 200, 600)
    assert [(mount.path, mount.subpath) for mount in version.data_mount] == [("/data", None)]
    assert [(slot.gpu_class, slot.slots) for slot in catalog.clusters[0].slots] == [("l4", 2)]


def test_an_empty_file_is_an_empty_catalog(tmp_path: Path) -> None:
    assert read(tmp_path, "# nothing yet\n") == Catalog()


def test_prices_are_exact_however_they_are_written(tmp_path: Path) -> None:
    quoted = read(tmp_path, GPU_CLASS + '    price_per_hour: "0.36"\n    currency: USD\n').gpu_classes[0]
    plain = read(tmp_path, GPU_CLASS + "    price_per_hour: 0.36\n    currency: USD\n").gpu_classes[0]
    assert quoted.price_per_hour == plain.price_per_hour == Decimal("0.36")


@pytest.mark.parametrize(("written", "uid"), [("root", 0), ("0", 0), ("1001", 1001)])
def test_runs_as_is_a_user_id(tmp_path: Path, written: str, uid: int) -> None:
    assert read(tmp_path, ENGINE + f"        runs_as: {written}\n").engines[0].versions[0].runs_as == uid


def test_files_may_refer_to_each_other(tmp_path: Path) -> None:
    assert len(read(tmp_path, CLUSTER, GPU_CLASS).gpu_classes) == 1


def test_files_may_refer_to_what_was_loaded_before(tmp_path: Path) -> None:
    newer = with_line(ENGINE, 'version: "1"', 'version: "2"')
    newer += '        migrates_from: ["1"]\n        migrate_command: [easel-migrate]\n'
    known = Known(gpu_classes=frozenset({"l4"}), versions={"easel": frozenset({"1"})})
    assert read(tmp_path, newer + CLUSTER, known=known).engines[0].versions[0].migrates_from == ["1"]


IMAGE = "must be an image name with a tag or digest, such as registry.example.com/team/engine:1.2"
ALIAS = "repeats an earlier value by the alias *all; write the value out"
TAG = "has a tag (!name), which is not needed here; take it out"

# (what is replaced, by what, the one problem that must be reported)
BAD_ENGINES = [
    ("slug: easel", "slug: Easel!", "2: engines[0].slug: must be 1 to 40 lower-case letters, digits and inner hyphens"),
    ("slug: easel", "slug: no", "2: engines[0].slug: must be text; put it in quotes"),
    ("    name: Easel\n", "", "2: engines[0].name: is required"),
    ("summary: Paints.", "summary: ''", "4: engines[0].summary: must have at least 1 character"),
    ("family: gradio", "family: grad", "5: engines[0].family: must be 'comfyui', 'sd-webui', 'gradio' or 'http'"),
    ("glyph: Ea", "glyph: Easel", "6: engines[0].mark.glyph: must have at most 2 characters"),
    ('"#336699"', "blue", '6: engines[0].mark.colour: must be a colour such as "#5b6cff", in quotes'),
    ('mark: {glyph: Ea, colour: "#336699"}', "mark: Ea", "6: engines[0].mark: must be a mapping of colour, glyph"),
    ("name: Easel", "name: Easel\n    homepage: easel.example", "4: engines[0].homepage: must be an http:// or https:// address"),
    ("name: Easel", "nam: Easel\n    name: Easel", "3: engines[0].nam: is not a known key; did you mean “name”?"),
    ("name: Easel", "zzz: 1\n    name: Easel", "3: engines[0].zzz: is not a known key"),
    (
        "port: 7860",
        "port: 7860\n        helth_path: /",
        "11: engines[0].versions[0].helth_path: is not a known key; did you mean “health_path”?",
    ),
    ('version: "1"', "version: 1.10", "8: engines[0].versions[0].version: must be text; put it in quotes"),
    (
        'version: "1"',
        'version: "1 beta"',
        "8: engines[0].versions[0].version: must be 1 to 40 letters, digits and . _ + -, starting with a letter or digit",
    ),
    (
        "easel:1",
        "easel",
        f"9: engines[0].versions[0].image: {IMAGE}",
    ),
    ("port: 7860", "port: 0", "10: engines[0].versions[0].port: must be greater than or equal to 1"),
    ("port: 7860", "port: 65536", "10: engines[0].versions[0].port: must be less than or equal to 65535"),
    ("port: 7860", "port: '7860'", "10: engines[0].versions[0].port: must be a valid integer"),
    ("port: 7860", "port: true", "10: engines[0].versions[0].port: must be a valid integer"),
    ("        port: 7860\n", "", "8: engines[0].versions[0]: “port” is required with “image”"),
    (
        "        image: registry.example.com/easel:1\n",
        "",
        "8: engines[0].versions[0]: needs either “image” or “command”, not both",
    ),
    (
        "port: 7860",
        "port: 7860\n        command: ['{port}']",
        "8: engines[0].versions[0]: needs either “image” or “command”, not both",
    ),
    ("health_path: /", "health_path: health", "11: engines[0].versions[0].health_path: must start with / and hold no spaces"),
    (
        "data_mount: /data",
        "data_mount: data",
        "12: engines[0].versions[0].data_mount[0].path: must be an absolute path below /, without “..”",
    ),
    (
        "data_mount: /data",
        "data_mount: /",
        "12: engines[0].versions[0].data_mount[0].path: must be an absolute path below /, without “..”",
    ),
    (
        "data_mount: /data",
        "data_mount: /a/../b",
        "12: engines[0].versions[0].data_mount[0].path: must be an absolute path below /, without “..”",
    ),
    (
        "data_mount: /data",
        "data_mount: [{path: /a, subpath: /b}]",
        "12: engines[0].versions[0].data_mount[0].subpath: must be a relative path without “..”",
    ),
    (
        "data_mount: /data",
        "data_mount: [{path: /a}, {path: /b, subpath: b}]",
        "8: engines[0].versions[0]: “data_mount” with several paths needs a “subpath” for each",
    ),
    (
        "data_mount: /data",
        "data_mount: [{path: /a, subpath: a}, {path: /a/, subpath: b}]",
        "8: engines[0].versions[0]: “data_mount” names the same path twice",
    ),
    ("        data_mount: /data\n", "", "8: engines[0].versions[0]: “data_mount” is required with “image”"),
    (
        "port: 7860",
        "port: 7860\n        env: {1ST: x}",
        "11: engines[0].versions[0].env.1ST: is not a legal environment name: letters, digits and _, not starting with a digit",
    ),
    ("port: 7860", "port: 7860\n        env: {FAST: 1}", "11: engines[0].versions[0].env.FAST: must be text; put it in quotes"),
    ("port: 7860", "port: 7860\n        env: [FAST]", "11: engines[0].versions[0].env: must be a valid dictionary"),
    ("port: 7860", "port: 7860\n        args: --listen", "11: engines[0].versions[0].args: must be a valid list"),
    (
        "port: 7860",
        "port: 7860\n        runs_as: nobody",
        "11: engines[0].versions[0].runs_as: must be a numeric user id or root",
    ),
    (
        "port: 7860",
        "port: 7860\n        status: live",
        "11: engines[0].versions[0].status: must be 'draft', 'published' or 'deprecated'",
    ),
    ("port: 7860", "port: 7860\n        default: true", "8: engines[0].versions[0]: “default” must be a published version"),
    (
        "port: 7860",
        "port: 7860\n        source: [README]",
        "11: engines[0].versions[0].source[0]: must be an http:// or https:// address",
    ),
    (
        "port: 7860",
        'port: 7860\n        migrates_from: ["0"]\n        migrate_command: [up]',
        "11: engines[0].versions[0].migrates_from[0]: “0” is not another version of easel",
    ),
    (
        "port: 7860",
        "port: 7860\n        migrate_command: [up]",
        "8: engines[0].versions[0]: “migrate_command” and “migrates_from” belong together",
    ),
]


@pytest.mark.parametrize(("old", "new", "problem"), BAD_ENGINES)
def test_a_bad_engine_is_named_exactly(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert problems(tmp_path, with_line(ENGINE, old, new)) == [f"a.yaml:{problem}"]


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("[]", "9: engines[0].versions[0].command: must have at least 1 item after validation, not 0"),
        ("[easel]", "8: engines[0].versions[0]: “command” must hand the engine its {port}"),
        (
            "['{prot}', '{port}']",
            "9: engines[0].versions[0].command[0]: {prot} is not a placeholder; use {port}, {data} or {python}",
        ),
    ],
)
def test_a_bad_command_is_named_exactly(tmp_path: Path, command: str, problem: str) -> None:
    assert problems(tmp_path, with_line(COMMAND, "[easel, '{port}']", command)) == [f"a.yaml:{problem}"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("vendor: nvidia", "vendor: nvdia", "5: gpu_classes[0].vendor: must be 'nvidia', 'amd', 'intel', 'cpu' or 'other'"),
        ("nvidia.com/gpu", "nvidia com", "6: gpu_classes[0].resource: is not a legal Kubernetes label or resource name"),
        ("    resource: nvidia.com/gpu\n", "", "2: gpu_classes[0]: needs either “resource” or “dra”"),
        ("vendor: nvidia", "vendor: cpu", "2: gpu_classes[0]: a CPU class has no “resource”, “dra”, “memory_mib” or “sharing”"),
        ("cpu_millis: 4000", "cpu_millis: 0.5", "7: gpu_classes[0].cpu_millis: must be a valid integer"),
        ("name: L4", "name: L4\n    price_per_hour: 1", "2: gpu_classes[0]: “price_per_hour” and “currency” belong together"),
        (
            "name: L4",
            "name: L4\n    price_per_hour: .nan\n    currency: USD",
            "4: gpu_classes[0].price_per_hour: must be a finite number",
        ),
        (
            "name: L4",
            "name: L4\n    node_selector: {a b: c}",
            "4: gpu_classes[0].node_selector.a b: is not a legal Kubernetes label or resource name",
        ),
        (
            "name: L4",
            "name: L4\n    node_selector: {a: b c}",
            "4: gpu_classes[0].node_selector.a: is not a legal Kubernetes label value",
        ),
        (
            "name: L4",
            "name: L4\n    node_selector: {a: true}",
            "4: gpu_classes[0].node_selector.a: must be text; put it in quotes",
        ),
        (
            "name: L4",
            "name: L4\n    extra_limits: {a.b/c: much}",
            "4: gpu_classes[0].extra_limits.a.b/c: is not a Kubernetes quantity, such as 8Gi",
        ),
        (
            "name: L4",
            "name: L4\n    affinity_preferred: [{weight: 1, key: a, operator: In}]",
            "4: gpu_classes[0].affinity_preferred[0]: operator In and “values” do not fit each other",
        ),
    ],
)
def test_a_bad_gpu_class_is_named_exactly(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert problems(tmp_path, with_line(GPU_CLASS, old, new)) == [f"a.yaml:{problem}"]


@pytest.mark.parametrize(
    ("added", "problem"),
    [
        (
            "pod_patch: {spec: {hostNetwork: true}}",
            (
                "11: engines[0].versions[0].pod_patch: cannot be laid over a Pod: "
                "spec.hostNetwork would put the engine into the network of its node"
            ),
        ),
        ("pod_patch: [1]", "11: engines[0].versions[0].pod_patch: must be a valid dictionary"),
        ("secret_env: {HF: {secret: hf}}", "11: engines[0].versions[0].secret_env.HF.key: is required"),
        (
            "secret_env: {HF: {secret: No_, key: k}}",
            (
                "11: engines[0].versions[0].secret_env.HF.secret: "
                "must be the name of an object in the cluster, such as shared-models"
            ),
        ),
        (
            "env: {A: b}\n        secret_env: {A: {secret: hf, key: k}}",
            "8: engines[0].versions[0]: A is in “env” and in “secret_env”",
        ),
        (
            "shared_mounts: [{claim: models, path: models}]",
            "11: engines[0].versions[0].shared_mounts[0].path: must be an absolute path below /, without “..”",
        ),
        (
            "shared_mounts: [{claim: models, path: /data}]",
            "8: engines[0].versions[0]: “shared_mounts” names a path that is taken already",
        ),
    ],
)
def test_what_cannot_be_in_a_pod_is_named_exactly(tmp_path: Path, added: str, problem: str) -> None:
    assert problems(tmp_path, with_line(ENGINE, "port: 7860", f"port: 7860\n        {added}")) == [f"a.yaml:{problem}"]


PATTERN_START = "must start with ^/, or with a method and ^/ (POST ^/generate)"


@pytest.mark.parametrize(
    ("activity", "problem"),
    [
        ("{probes: {}}", ".probes: is not a known key; did you mean “probe”?"),
        (
            "{probe: {kind: comfy}}",
            ".probe.kind: must be 'comfyui', 'sdwebui', 'gradio', 'http_json', 'command' or 'none'",
        ),
        (
            "{probe: {kind: http_json, path: /x}}",
            ".probe: “path” and “busy_if” belong to the kind http_json, which needs both",
        ),
        (
            "{probe: {kind: http_json, path: /x, busy_if: [{value: queue, above: 0}]}}",
            ".probe.busy_if[0].value: must be a JSON pointer, such as /queue/pending",
        ),
        (
            "{probe: {kind: http_json, path: /x, busy_if: [{value: /queue}]}}",
            ".probe.busy_if[0]: needs exactly one of “above”, “longer_than”, “equals” and “differs_from”",
        ),
        ('{poll: ["queue"]}', f".poll[0]: {PATTERN_START}"),
        ('{work: ["^/ok", "^/(a+)+"]}', ".work[1]: must not repeat a group"),
        ("{poll: ^/queue}", ".poll: must be a list"),
        ("{websocket_is_user: 1}", ".websocket_is_user: must be a valid boolean"),
        ("none", ": must be a mapping of poll, probe, websocket_is_user, work"),
    ],
)
def test_what_tells_of_no_activity_is_named_exactly(tmp_path: Path, activity: str, problem: str) -> None:
    text = with_line(ENGINE, "port: 7860", f"port: 7860\n        activity: {activity}")
    assert problems(tmp_path, text) == [f"a.yaml:11: engines[0].versions[0].activity{problem}"]


def test_every_shipped_engine_s_activity_is_what_it_is() -> None:
    """What is left to the family is asked as the family is; the rest is said."""
    engines = read_catalog(*SHIPPED).engines
    told = {
        engine.slug: {probe_of(engine.family, version.activity.model_dump(mode="json", exclude_unset=True)).kind}
        for engine in engines
        for version in engine.versions
    }
    assert told == {
        "loom": {"sdwebui"},
        "comfyui": {"comfyui"},
        "sd-webui": {"sdwebui"},
        "forge": {"sdwebui"},
        "sdnext": {"sdwebui"},
        "fooocus": {"gradio"},
        "text-generation-webui": {"gradio"},
        "invokeai": {"http_json"},
        "kohya-ss": {"none"},
        "open-webui": {"none"},
    }


def test_a_command_has_no_pod(tmp_path: Path) -> None:
    patched = with_line(COMMAND, "port: 7860", "port: 7860\n        pod_patch: {spec: {priorityClassName: a}}")
    assert problems(tmp_path, patched) == [
        "a.yaml:8: engines[0].versions[0]: “pod_patch” belongs to an “image”: a “command” runs as a process of this machine"
    ]


def test_a_gpu_class_cannot_show_the_node(tmp_path: Path) -> None:
    patched = with_line(GPU_CLASS, "name: L4", "name: L4\n    pod_patch: {spec: {volumes: [{name: h, hostPath: {path: /}}]}}")
    assert problems(tmp_path, patched) == [
        (
            "a.yaml:4: gpu_classes[0].pod_patch: cannot be laid over a Pod: "
            "spec.volumes[h].hostPath would show the engine what lies outside its tenant"
        )
    ]


def test_a_cluster_names_a_gpu_class_that_exists(tmp_path: Path) -> None:
    wrong = with_line(CLUSTER, "gpu_class: l4", "gpu_class: l40")
    assert problems(tmp_path, GPU_CLASS + wrong) == [
        "a.yaml:11: clusters[0].slots[0].gpu_class: there is no GPU class “l40”; did you mean “l4”?"
    ]


def test_every_problem_is_reported_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = with_line(with_line(ENGINE, "slug: easel", "slug: E"), "port: 7860", "port: 0") + "bogus: 1\n"
    assert [problem.split(": ")[:2] for problem in problems(tmp_path, text, "clusters: 5\n")] == [
        ["a.yaml:2", "engines[0].slug"],
        ["a.yaml:10", "engines[0].versions[0].port"],
        ["a.yaml:13", "bogus"],
        ["b.yaml:1", "clusters"],
    ]


def test_a_slug_is_used_once_over_all_files(tmp_path: Path) -> None:
    assert problems(tmp_path, ENGINE + GPU_CLASS + CLUSTER, CLUSTER, ENGINE) == [
        f"b.yaml:2: clusters[0].slug: cluster “lab” is already defined at {tmp_path}/a.yaml:23".replace(f"{tmp_path}/", ""),
        "c.yaml:2: engines[0].slug: engine “easel” is already defined at a.yaml:2",
    ]


def test_a_version_is_defined_once_per_engine(tmp_path: Path) -> None:
    assert problems(tmp_path, ENGINE + ENGINE[ENGINE.index("      - version") :]) == [
        "a.yaml:13: engines[0].versions[1].version: version “1” of easel is already defined at a.yaml:8"
    ]


def test_an_engine_has_one_default(tmp_path: Path) -> None:
    published = ENGINE + "        status: published\n        default: true\n"
    second = published[published.index("      - version") :].replace('"1"', '"2"')
    assert problems(tmp_path, published + second) == ["a.yaml:7: engines[0].versions: only one version may be the default"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1\nb: 2\n", "a.yaml:2: is not YAML: expected ',' or ']', but got ':'"),
        ("engines:\n\t- a\n", "a.yaml:2: is not YAML: found character '\\t' that cannot start any token"),
        ("a: !run {}\n", f"a.yaml:1: {TAG}"),
        ("a:\n  - !!bool maybe\n", f"a.yaml:2: {TAG}"),
        ("a: =\n", "a.yaml:1: is not YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:value'"),
        ("engines: []\n---\nengines: []\n", "a.yaml:2: is not YAML: but found another document"),
        ("engines: []\nclusters: []\nengines: []\n", "a.yaml:1: engines: is written twice; once more on line 3"),
        ("engines: &all []\nclusters: *all\n", f"a.yaml:2: {ALIAS}"),
        ("engines: &all [*all]\n", f"a.yaml:1: {ALIAS}"),
        ("engines: 2026-13-45\n", "a.yaml:1: holds an impossible number or date: month must be in 1..12"),
        ("[" * 5000, "a.yaml:1: is nested too deeply"),
        ("- engines\n", "a.yaml:1: must be a mapping of clusters, engines, gpu_classes"),
        ("engines: [5]\n", "a.yaml:1: engines[0]: must be a mapping of family, homepage, mark, name, slug, summary, versions"),
    ],
)  # fmt: skip
def test_what_is_no_catalog_is_named_exactly(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, text) == [problem]


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(CatalogError) as raised:
        read_catalog(tmp_path / "none.yaml")
    assert raised.value.problems == [f"{tmp_path}/none.yaml:1: cannot be read: No such file or directory"]


def test_a_file_that_is_no_text_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"engines: \xff\n")
    with pytest.raises(CatalogError) as raised:
        read_catalog(path)
    assert raised.value.problems == [f"{path}:1: is not UTF-8 text: byte 9 is wrong"]


def accepts_or_refuses(path: Path) -> None:
    with suppress(CatalogError):
        read_catalog(path)


KEYS = st.sampled_from(
    [
        "engines",
        "gpu_classes",
        "clusters",
        "slug",
        "versions",
        "version",
        "migrates_from",
        "slots",
        "gpu_class",
        "mark",
        "env",
        "dra",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates() | KEYS
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | SCALARS, inner, max_size=4), max_leaves=25
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(tree=TREES | st.dictionaries(KEYS, st.lists(TREES, max_size=3), max_size=3))
def test_any_yaml_is_accepted_or_refused(tmp_path: Path, tree: object) -> None:
    path = tmp_path / "any.yaml"
    path.write_text(yaml.safe_dump(tree))
    accepts_or_refuses(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(alphabet=st.sampled_from("ab01:-{}[],&*!|>?#'\" \n\t%@~.\x00\x85\ufeff\U0001f600")) | st.text())
def test_any_text_is_accepted_or_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    accepts_or_refuses(path)


FRAGMENTS = [
    "&a ",
    "*a",
    "!!int ",
    "? ",
    "<<: ",
    "{",
    "}",
    "[",
    "]",
    "~",
    ".nan",
    "1e999",
    "2026-99-99",
    "---\n",
    "- ",
    "\t",
    ": ",
    "'",
    '"',
    "|",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(where=st.integers(0, len(ENGINE + GPU_CLASS)), cut=st.integers(0, 12), fragment=st.sampled_from(FRAGMENTS))
def test_any_damaged_catalog_is_accepted_or_refused(tmp_path: Path, where: int, cut: int, fragment: str) -> None:
    whole = ENGINE + GPU_CLASS
    path = tmp_path / "any.yaml"
    path.write_text(whole[:where] + fragment + whole[where + cut :])
    accepts_or_refuses(path)
