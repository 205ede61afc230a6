"""Finding GameServerSets in files: what is refused is named with file, line, document, path and problem."""

from textwrap import dedent

import pytest

from engines.adoption.documents import AdoptionError, Found, chosen, listed, read_yaml
from engines.adoption.plan import make_plan

SET = """\
apiVersion: game.kruise.io/v1alpha1
kind: GameServerSet
metadata: {name: sd, namespace: studio, labels: {aigc: "true"}}
spec:
  replicas: 0
  gameServerTemplate:
    spec:
      containers:
        - name: sd
          image: registry.example.com/sd:1
          ports: [{containerPort: 7860}]
"""


def read(text: str) -> Found:
    return read_yaml(dedent(text), "gss.yaml")


def refusal(text: str) -> list[str]:
    with pytest.raises(AdoptionError) as caught:
        make_plan(read(text))
    return caught.value.problems


def test_documents_and_lists_are_all_read_and_empty_documents_passed_over():
    item = SET.replace("\n", "\n  ").rstrip()
    found = read(f"---\n---\n{SET}---\napiVersion: v1\nkind: List\nitems:\n- {item}\n- {item}\n---\nkind: Namespace\n")
    assert [(each.document, each.prefix) for each in found.sources] == [(2, ""), (3, "items[0]"), (3, "items[1]")]
    assert found.passed_over == ["Namespace in document 4"]
    assert str(found.sources[0]) == "studio/sd in gss.yaml, document 2"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["gss.yaml:1: holds no GameServerSet"]),
        (
            "kind: Service\n---\nkind: Pod\n",
            ["gss.yaml:1: holds no GameServerSet; it has Service in document 1, Pod in document 2"],
        ),
        ("a: [1\nb: 2\n", ["gss.yaml:2: is not YAML: expected ',' or ']', but got ':'"]),
        ("- 1\n", ["gss.yaml:1: document 1: must be a mapping, such as a GameServerSet"]),
        ("x: 1\n---\nkind: List\nitems: 3\n", ["gss.yaml:4: document 2: items: must be a list"]),
        ("kind: List\nitems:\n- 3\n", ["gss.yaml:3: document 1: items[0]: must be a mapping, such as a GameServerSet"]),
        ("x: &a 1\ny: *a\n", ["gss.yaml:2: repeats an earlier value by the alias *a; write the value out"]),
        ("x: !!python/name:os.system 1\n", ["gss.yaml:1: has a tag (!name), which is not needed here; take it out"]),
        (
            SET.replace("v1alpha1", "v1"),
            ["gss.yaml:1: document 1: apiVersion: must be game.kruise.io/v1alpha1; no other version is known"],
        ),
        (SET + "kind: Pod\n", ["gss.yaml:2: document 1: kind: is written twice; once more on line 12"]),
    ],
)
def test_what_is_no_gameserverset_is_refused(text, problems):
    assert refusal(text) == problems


IN = "document 2: spec.gameServerTemplate.spec"
ENGINE = f"{IN}.containers[0]"
PORTS = "ports: [{containerPort: 7860}]"


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("image: registry.example.com/sd:1", "imagePullPolicy: Always", f"11: {ENGINE}.image: is required"),
        (
            "registry.example.com/sd:1",
            "UPPER/sd:1",
            f"12: {ENGINE}.image: must be an image name with a tag or digest, such as registry.example.com/team/engine:1.2",
        ),
        (
            "[{containerPort: 7860}]",
            "[{containerPort: 78600}]",
            f"13: {ENGINE}.ports[0].containerPort: must be a whole number from 1 to 65535",
        ),
        (
            PORTS,
            "args: [8188]",
            f"13: {ENGINE}.args: must be a list of texts; put numbers and words such as yes in quotes",
        ),
        ("name: sd, ", "", "5: document 2: metadata.name: is required"),
        ("containers:", "containres:", f"9: {IN}.containers: is required: there is nothing to run"),
        (
            PORTS,
            "resources: {limits: {cpu: many}}",
            f"13: {ENGINE}.resources.limits.cpu: “many” is not a Kubernetes quantity, such as 8Gi",
        ),
        (
            PORTS,
            'resources: {limits: {nvidia.com/gpu: "0.5"}}',
            f"13: {ENGINE}.resources.limits[nvidia.com/gpu]: “0.5” is not a whole number of devices",
        ),
    ],
)
def test_what_can_be_no_catalog_entry_is_refused_with_its_line_document_and_path(before, after, problem):
    assert before in SET
    found = refusal("x: 1\n---\n" + SET.replace(before, after))
    assert f"gss.yaml:{problem}" in found


def test_an_engine_without_any_port_is_refused():
    text = SET.replace("          ports: [{containerPort: 7860}]\n", "").replace("/sd:1", "/paint:1")
    assert refusal(text) == [
        (
            "gss.yaml:9: document 1: spec.gameServerTemplate.spec.containers[0]: "
            "names no TCP port, and neither do the network, the probes and the arguments: add one to ports"
        )
    ]


def test_problems_in_items_of_a_list_lead_to_the_item():
    item = SET.replace("image: registry.example.com/sd:1", "stdin: true").replace("\n", "\n  ").rstrip()
    assert refusal(f"kind: List\nitems:\n- {item}\n") == [
        "gss.yaml:11: document 1: items[0].spec.gameServerTemplate.spec.containers[0].image: is required"
    ]


def test_items_that_an_api_lists_need_no_kind_and_are_named_by_their_cluster():
    found = listed([{"metadata": {"name": "a", "namespace": "b"}, "spec": {}}], "cluster lab")
    with pytest.raises(AdoptionError) as caught:
        make_plan(found)
    assert caught.value.problems == [
        "cluster lab: b/a: spec.gameServerTemplate.spec.containers: is required: there is nothing to run"
    ]
    with pytest.raises(AdoptionError, match="cluster lab: has no GameServerSet"):
        listed([], "cluster lab")


@pytest.mark.parametrize(
    ("namespaces", "labels", "kept"),
    [
        ([], {}, ["sd", "other"]),
        (["studio"], {}, ["sd"]),
        (["default"], {}, ["other"]),
        (["default", "studio"], {"aigc": "true"}, ["sd"]),
    ],
)
def test_namespaces_and_labels_choose_as_in_aigc_gateway(namespaces, labels, kept):
    other = 'apiVersion: game.kruise.io/v1alpha1\nkind: GameServerSet\nmetadata: {name: other, labels: {aigc: "no"}}\n'
    [place] = chosen([read(f"{SET}---\n{other}")], namespaces=namespaces, labels=labels)
    assert [each.name for each in place.sources] == kept


def test_choosing_nothing_is_refused():
    with pytest.raises(AdoptionError, match="no GameServerSet has these namespaces and labels"):
        chosen([read(SET)], namespaces=["nowhere"], labels={})
