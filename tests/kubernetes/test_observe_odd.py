"""Whatever is missing from what a cluster says, or odd in it, an observation never fails, and pruning changes none."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.clusters.base import Phase
from engines.clusters.kubernetes.observe import observe
from engines.clusters.kubernetes.pruning import prune
from engines.clusters.kubernetes.seen import Seen
from tests.kubernetes.objects_as_sent import (
    NAME,
    NAMESPACE,
    NOW,
    PLACED,
    claim,
    clock,
    condition,
    ended,
    event,
    node,
    pod,
    stateful_set,
    tombstone,
    unplaced,
    waiting,
)
from tests.kubernetes.replay import SCENARIOS, workloads, worlds

RUNS = {"state": {"running": {"startedAt": clock(3)}}, "started": True, "ready": True}

SIGHTS = [
    replace(copy.deepcopy(world.seen()), node=node("Unknown"), claim=claim("Pending"), allocatable={})
    for scenario in SCENARIOS
    for name in workloads(scenario)
    for world in list(worlds(scenario, name))[::4]
]
STRANGE = [
    *(None, "", "x", 0, -1, 10**30, 1.5, True, [], [None], [[]], {}, {"a": 1}),
    *("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z", "2026-11-22T07:30:00", "²"),
]
ODD = st.sampled_from(STRANGE)
SIX = ("stateful_set", "claim", "node", "pods", "gone", "events")
ONE_OF_EACH = {
    "stateful_set": stateful_set(annotations={"aigc-portal.io/epoch": "7", "aigc-portal.io/applied-at": clock(100)}),
    "claim": claim("Pending", annotations=tombstone(7, run_id="pod", ended_at=NOW)),
    "node": node("Unknown", "node.kubernetes.io/unreachable"),
}
KINDS = {
    "stateful_set": "StatefulSet",
    "claim": "PersistentVolumeClaim",
    "node": "Node",
    "pods": "Pod",
    "gone": "Pod",
    "events": "Event",
}
RICH = {
    "no pod": {
        "events": [event("FailedCreate", "exceeded quota", about="set"), event("SuccessfulCreate", "…", about="set", last=1)]
    },
    "gone": {
        "stateful_set": stateful_set(replicas=0),
        "gone": [pod(PLACED, container={"state": ended(137)}, deletionTimestamp=clock(9))],
    },
    "no machine": {"pods": [unplaced('persistentvolumeclaim "models" not found')]},
    "provisioning": {"pods": [pod()], "events": [event("Provisioning", "…", about="claim")]},
    "full": {"pods": [unplaced("1 Insufficient nvidia.com/gpu")], "allocatable": {}},
    "growing": {"pods": [unplaced("1 Insufficient nvidia.com/gpu")], "events": [event("TriggeredScaleUp", "…")]},
    "pulling": {
        "pods": [waiting("ImagePullBackOff", 'Back-off pulling image "x"')],
        "events": [event("Failed", 'Failed to pull image "x": EOF')],
    },
    "mounting": {"pods": [waiting("ContainerCreating")], "events": [event("FailedAttachVolume", "…"), event("FailedMount", "…")]},
    "ended": {
        "pods": [
            pod(PLACED, container={"state": ended(137)}, status={"initContainerStatuses": [{"state": ended(0), "name": "i"}]})
        ],
        "events": [event("Killing", "failed startup probe")],
    },
    "ill": {
        "pods": [
            pod(PLACED, container={**RUNS, "allocatedResourcesStatus": [{"name": "g", "resources": [{"health": "Unhealthy"}]}]})
        ]
    },
    "failing": {
        "pods": [pod(uid="fresh")],
        "gone": [pod(PLACED, status={"phase": "Failed", "reason": "Evicted", "message": "…"})],
    },
    "drained": {"pods": [pod(PLACED, condition("DisruptionTarget"), container=RUNS, deletionTimestamp=clock(9))]},
}


def law(sight: Seen) -> None:
    """It does not fail, and the pruned objects say the same."""
    found = observe(sight, now=NOW)
    pruned = {part: pruned_part(part, getattr(sight, part)) for part in SIX}
    assert found == observe(replace(sight, **pruned), now=NOW)
    assert found.phase != Phase.BROKEN or found.reason


def pruned_part(part: str, value: Any) -> Any:
    if value is None:
        return None
    return prune(KINDS[part], value) if isinstance(value, dict) else [prune(KINDS[part], each) for each in value]


def proper(part: str, value: Any) -> Any:
    """Objects where objects are due: the watcher holds nothing else."""
    if part in {"pods", "gone", "events"}:
        return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
    return value if isinstance(value, dict) else None


def spoiled_everywhere(value: Any) -> Iterator[Any]:
    """Yield the value with each thing in it, and itself, replaced by every odd one, and left out."""
    yield from STRANGE
    if isinstance(value, dict):
        for key in value:
            yield {other: kept for other, kept in value.items() if other != key}
            yield from (value | {key: each} for each in spoiled_everywhere(value[key]))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from ([*value[:index], each, *value[index + 1 :]] for each in spoiled_everywhere(item))


@pytest.mark.parametrize("sight", RICH)
def test_whatever_one_thing_is_missing_or_odd_an_observation_does_not_fail(sight):
    parts = ONE_OF_EACH | RICH[sight]
    for part in parts.keys() & set(SIX):
        for spoiled in spoiled_everywhere(parts[part]):
            law(Seen(NAME, NAMESPACE, **parts | {part: proper(part, spoiled)}))


def spoil(value: Any, draw: Any) -> Any:
    """Drop or spoil something somewhere in a JSON value."""
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 5)) == 0:
            return {other: kept for other, kept in value.items() if other != key}
        return value | {key: spoil(value[key], draw)}
    if isinstance(value, list) and value and draw(st.integers(0, 9)):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], spoil(value[index], draw), *value[index + 1 :]]
    return draw(ODD)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_several_things_are_missing_or_odd_an_observation_does_not_fail(data):
    sight: Seen = data.draw(st.sampled_from(SIGHTS))
    for _ in range(data.draw(st.integers(1, 6))):
        part = data.draw(st.sampled_from(SIX))
        value = getattr(sight, part)
        spoiled = spoil([*value] if isinstance(value, list | tuple) else value, data.draw)
        sight = replace(sight, **{part: proper(part, spoiled)})
    law(sight)
