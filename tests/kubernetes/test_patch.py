"""Strategic merge: the rules of its specification on Pod templates, and laws that hold for any patch."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.clusters.kubernetes.patch import PatchError, strategic_merge

NGINX = {"spec": {"containers": [{"name": "nginx", "image": "nginx-1.0"}]}}
LOGGER = {"name": "log-tailer", "image": "log-tailer-1.0"}


def with_containers(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"containers": list(containers)}}


@pytest.mark.parametrize(
    ("patch", "merged"),
    [
        (with_containers(LOGGER), [LOGGER, NGINX["spec"]["containers"][0]]),
        (with_containers({"name": "nginx", "image": "nginx-2.0"}), [{"name": "nginx", "image": "nginx-2.0"}]),
        (with_containers({"$patch": "replace"}, LOGGER), [LOGGER]),
        (with_containers({"name": "nginx", "$patch": "delete"}, LOGGER), [LOGGER]),
        (with_containers({"name": "nginx", "image": None}), [{"name": "nginx"}]),
    ],
)
def test_containers_are_merged_by_their_name(patch: dict[str, Any], merged: list[dict[str, Any]]) -> None:
    by_name = sorted(strategic_merge(NGINX, patch)["spec"]["containers"], key=lambda each: str(each["name"]))
    assert by_name == sorted(merged, key=lambda each: str(each["name"]))


def test_a_list_without_a_key_is_replaced() -> None:
    old = {"spec": {"tolerations": [{"key": "a"}]}}
    assert strategic_merge(old, {"spec": {"tolerations": [{"key": "b"}]}}) == {"spec": {"tolerations": [{"key": "b"}]}}


@pytest.mark.parametrize("patch", [{"spec": {"$patch": "sideways"}}, with_containers({"image": "x"})])
def test_a_patch_without_sense_is_refused(patch: dict[str, Any]) -> None:
    with pytest.raises(PatchError):
        strategic_merge(NGINX, patch)


KEYS = st.sampled_from(["metadata", "spec", "labels", "a", "b"])
TREES = st.recursive(st.none() | st.integers(), lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=8)
PATCHES = st.dictionaries(
    KEYS,
    st.recursive(st.none() | st.integers(), lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=8),
    max_size=3,
)


@given(PATCHES, PATCHES)
def test_a_second_time_changes_nothing_and_neither_side_is_touched(first: dict[str, Any], patch: dict[str, Any]) -> None:
    template = strategic_merge({}, first)
    before = copy.deepcopy((template, patch))
    once = strategic_merge(template, patch)
    assert strategic_merge(once, patch) == once
    assert strategic_merge(template, {}) == template
    assert (template, patch) == before
