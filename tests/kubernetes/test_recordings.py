"""What a real cluster said, played back: the exact observations, and no flapping."""

from datetime import UTC, datetime

import pytest

from engines.clusters.base import EndedRun, Phase
from engines.clusters.kubernetes.pruning import prune
from engines.clusters.kubernetes.seen import Settings
from engines.reasons import EXPLANATIONS, Reason
from tests.kubernetes.replay import SCENARIOS, play, steps, workloads

COMES_UP = [("pending", None, 0), ("pending", None, 1), ("pending", "placed", 1), ("starting", None, 1)]
GETS_READY = [*COMES_UP, ("ready", None, 1)]
EVICTED = "Evicted: Pod ephemeral local storage usage exceeds the total limit of containers 20Mi."
UNRESOLVED = (
    'failed to pull and unpack image "registry.invalid/no/such:1": failed to resolve reference "registry.invalid/no/such:1": '
    'failed to do request: Head "https://registry.invalid/v2/no/such/manifests/1": '
    "dial tcp: lookup registry.invalid on 10.255.255.53:53: no such host"
)

EXPECTED = {
    "launch-pause-resume-delete": (
        [
            *GETS_READY,
            ("stopping", None, 1),
            ("gone", None, 1),
            ("pending", None, 2),
            ("pending", "placed", 2),
            ("starting", None, 2),
            ("ready", None, 2),
            ("stopping", None, 2),
            ("gone", None, 2),
        ],
        "",
    ),
    "unschedulable-no-gpu": (
        [("pending", None, 0), ("pending", None, 1), ("pending", "no_capacity", 1)],
        "0/1 nodes are available: 1 Insufficient nvidia.com/gpu",
    ),
    "unschedulable-node-selector": (
        [("pending", None, 0), ("pending", None, 1), ("pending", "no_such_gpu", 1)],
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector",
    ),
    "image-pull-backoff": (
        [
            ("pending", None, 1),
            ("pending", "placed", 1),
            ("pending", "image_pulling", 1),
            ("pending", "registry_unreachable", 1),
        ],
        UNRESOLVED,
    ),
    "crash-loop": ([*COMES_UP, ("starting", "engine_exited", 1)], "exit code 1"),
    "oom-killed": ([*COMES_UP, ("starting", "out_of_memory", 1)], "exit code 137 (OOMKilled)"),
    "config-error-missing-secret": (
        [*COMES_UP[:3], ("broken", "config_missing", 1)],
        'CreateContainerConfigError: secret "nope" not found',
    ),
    "missing-volume-claim": (
        [*COMES_UP[:2], ("broken", "volume_missing", 1)],
        '0/1 nodes are available: persistentvolumeclaim "nope" not found. not found',
    ),
    "startup-probe-failure": (
        [*COMES_UP, ("starting", "start_timeout", 1)],
        "exit code 137 (SIGKILL); Container engine failed startup probe, will be restarted",
    ),
    "engine-exits-after-ready": ([*COMES_UP, ("starting", "engine_killed", 1)], "exit code 137 (SIGKILL)"),
    "evicted": (
        [
            *COMES_UP,
            ("stopping", "scratch_full", 1),
            ("pending", None, 0),
            ("pending", None, 2),
            ("pending", "placed", 2),
            ("starting", None, 2),
            ("stopping", "scratch_full", 2),
            ("pending", None, 0),
            ("pending", None, 3),
            ("pending", "placed", 3),
            ("starting", None, 3),
            ("stopping", "scratch_full", 3),
            ("pending", None, 0),
            ("pending", None, 4),
            ("pending", "placed", 4),
            ("starting", None, 4),
        ],
        "",
    ),
    "pod-deleted-outside": ([*GETS_READY, ("stopping", None, 1)], ""),
    "quota-exceeded": (GETS_READY, ""),
    "node-drained": (
        [
            *GETS_READY,
            ("stopping", "node_drained", 1),
            ("pending", None, 0),
            ("pending", None, 2),
            ("pending", "nodes_closed", 2),
            ("pending", "class_misconfigured", 2),  # this version no longer says which taint
            ("pending", "placed", 2),
            ("starting", None, 2),
            ("ready", None, 2),
        ],
        "",
    ),
}


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-22T{clock}").replace(tzinfo=UTC)


def test_every_recording_is_expected():
    assert set(EXPECTED) == set(SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_recording_gives_these_steps(scenario):
    told = play(scenario, workloads(scenario)[0])
    assert (steps(told), told[-1].evidence) == EXPECTED[scenario]


def test_the_second_instance_waits_for_the_teams_quota_and_then_comes_up():
    told = play("quota-exceeded", "sd-12b")
    assert steps(told) == [
        ("pending", None, 0),
        ("pending", "quota_exceeded", 0),
        ("pending", None, 1),
        ("pending", "placed", 1),
    ]
    assert told[1].evidence == (
        'pods "sd-12b-0" is forbidden: exceeded quota: gpu, requested: requests.nvidia.com/gpu=1, '
        "used: requests.nvidia.com/gpu=1, limited: requests.nvidia.com/gpu=1"
    )


@pytest.mark.parametrize("restarts", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("scenario", "reason", "ends"),
    [
        ("crash-loop", Reason.ENGINE_EXITED, 3),
        ("oom-killed", Reason.OUT_OF_MEMORY, 2),
        ("startup-probe-failure", Reason.START_TIMEOUT, 2),
        ("engine-exits-after-ready", Reason.ENGINE_KILLED, 2),
    ],
)
def test_an_engine_that_has_used_up_its_restarts_is_broken_and_stays_so(scenario, reason, ends, restarts):
    told = play(scenario, workloads(scenario)[0], settings=Settings(max_restarts=restarts))
    ended = [step for step in steps(told) if step[1] == reason]
    starting, broken = ("starting", str(reason), 1), ("broken", str(reason), 1)
    assert ended == ([starting] if restarts else []) + ([broken] if ends > restarts else [])
    assert steps(told)[-1] == ended[-1]


@pytest.mark.parametrize("restarts", [0, 3])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_situation_comes_back_within_a_run(scenario, restarts):
    """A gap between two Pods is no run. The recorded engines that restart never became ready in between."""
    for name in workloads(scenario):
        of_runs = [step for step in steps(play(scenario, name, settings=Settings(max_restarts=restarts))) if step[2]]
        assert len(of_runs) == len(set(of_runs))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_is_broken_can_fail_and_says_why(scenario):
    for name in workloads(scenario):
        for seen in play(scenario, name, settings=Settings(max_restarts=0)):
            assert seen.phase != Phase.BROKEN or (EXPLANATIONS[seen.reason].failure and seen.evidence)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_pruned_objects_give_the_same_observations(scenario):
    for name in workloads(scenario):
        assert play(scenario, name, keep=prune) == play(scenario, name)


def test_the_moments_of_a_run_are_the_clusters():
    told = play("launch-pause-resume-delete", "sd-1")
    ready = next(seen for seen in told if seen.ready_at)
    assert (ready.started_at, ready.ready_at, ready.ended_at) == (at("07:45:32"), at("07:45:34"), None)
    first, last = (seen for seen in told if seen.phase == Phase.GONE)
    assert (first.started_at, first.ended_at, first.ended_runs) == (at("07:45:32"), at("07:45:41"), ())
    assert (last.started_at, last.ended_at) == (at("07:45:42"), at("07:45:51"))
    assert last.ended_runs == (EndedRun(first.run_id, at("07:45:32"), None, at("07:45:41")),)


def test_the_upstream_is_the_services_name_while_the_engine_is_alive():
    told = play("launch-pause-resume-delete", "sd-1")
    alive = {Phase.STARTING, Phase.READY, Phase.STOPPING}
    assert {seen.upstream for seen in told if seen.phase in alive} == {"sd-1.aigc-acme.svc.cluster.local:80"}
    assert {seen.upstream for seen in told if seen.phase not in alive} == {""}


def test_a_run_that_the_cluster_replaced_is_among_the_ended():
    told = play("node-drained", "sd-13")
    last = told[-1]
    why = (Reason.NODE_DRAINED, "EvictionByEvictionAPI: Eviction API: evicting")
    assert last.ended_runs == (EndedRun(told[1].run_id, at("07:49:44"), None, at("07:49:53"), *why),)
    assert last.started_at == at("07:49:54")
