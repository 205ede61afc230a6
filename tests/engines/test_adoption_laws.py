"""What holds for every GameServerSet: no field is lost without a word, and none breaks the import."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.adoption.documents import AdoptionError, listed
from engines.adoption.gameserverset import adopt
from engines.adoption.plan import Plan, make_plan

TEMPLATES = Path(__file__).parent / "gameserversets"
Place = tuple[str | int, ...]

# Said of as a whole, with everything in them.
WHOLE = ("status", "initContainers")


def every_gameserverset() -> list[dict[str, Any]]:
    documents = []
    for path in sorted(TEMPLATES.glob("*.yaml")):
        if not path.name.endswith(".catalog.yaml"):
            for document in yaml.safe_load_all(path.read_text()):
                documents += document.get("items", [document])
    return [each for each in documents if each["kind"] == "GameServerSet"]


ALL = every_gameserverset()


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    yield place
    if isinstance(value, dict):
        for key, each in value.items():
            yield from places(each, (*place, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from places(each, (*place, index))


def value_at(document: Any, place: Place) -> Any:
    for part in place:
        document = document[part]
    return document


def changed(document: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(document)
    if not place:
        return {"kind": "GameServerSet"} | (value if isinstance(value, dict) else {})
    value_at(document, place[:-1])[place[-1]] = value
    return document


def outcome(document: dict[str, Any]) -> str:
    """Everything that the import makes of it and says about it."""
    [source] = listed([document], "here").sources
    adopted, refused = adopt(source)
    return repr((adopted and (adopted.engine, adopted.gpu_class, adopted.findings), refused))


def mappings(document: dict[str, Any]) -> Iterator[Place]:
    for place in places(document):
        at = value_at(document, place)
        reported_whole = any(part in WHOLE for part in place) or (
            len(place) > 4 and "containers" in place and value_at(document, place[:5]).get("name") == "filebrowser"
        )
        if isinstance(at, dict) and not reported_whole:
            yield place


# Where one finding speaks for the whole mapping, so that a further key in it adds none.
SPOKEN_FOR = {
    "spec.updateStrategy",
    "spec.scaleStrategy",
    "spec.serviceQualities",
    "lifecycle",
    "podAntiAffinity",
    "imagePullSecrets",
    "valueFrom",
    "envFrom",
    "exec",
    "requiredDuringSchedulingIgnoredDuringExecution",
    "volumes",
    "matchExpressions",
}


@pytest.mark.parametrize("document", ALL, ids=[each["metadata"]["name"] for each in ALL])
def test_a_field_that_nobody_knows_is_named(document):
    before = outcome(document)
    silent = []
    for place in mappings(document):
        path = ".".join(str(part) for part in place)
        after = outcome(changed(document, (*place, "example.com/unheard-of"), "yes"))
        if after == before and not any(each in path for each in SPOKEN_FOR):
            silent.append(path)
    assert not silent, "\n".join(silent)


def planned(document: dict[str, Any]) -> tuple[Plan | None, list[str]]:
    try:
        return make_plan(listed([document], "cluster lab")), []
    except AdoptionError as error:
        return None, error.problems


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)


def test_a_device_whose_name_is_none_is_refused():
    document = next(each for each in ALL if each["metadata"]["name"] == "stable-diffusion-share")
    place = ("spec", "gameServerTemplate", "spec", "containers", 0, "resources", "limits")
    plan, problems = planned(changed(document, place, {"/": 1}))
    assert plan is None
    assert any("is not a legal Kubernetes label or resource name" in problem for problem in problems)


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_stands_in_a_field_the_import_is_refused_or_gives_a_valid_catalog(data):
    document = data.draw(st.sampled_from(ALL))
    place = data.draw(st.sampled_from(list(places(document))))
    broken = changed(document, place, data.draw(ANYTHING))
    plan, problems = planned(broken)
    if plan is None:
        assert problems
        assert all(problem.startswith("cluster lab: ") for problem in problems)
    else:
        assert [engine.versions[0].status for engine in plan.catalog.engines] == ["draft"]
        assert plan.as_yaml().startswith("# Adopted")
