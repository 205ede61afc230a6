"""Seldom sights: what is missing, odd, late or there twice."""

from datetime import timedelta
from typing import Any

import pytest

from engines.clusters.base import EndedRun, Observation, Phase
from engines.clusters.kubernetes.objects import moment
from engines.clusters.kubernetes.observe import observe
from engines.clusters.kubernetes.pruning import prune
from engines.clusters.kubernetes.seen import Settings
from engines.clusters.kubernetes.wording import EVIDENCE_BYTES
from engines.reasons import Reason
from tests.kubernetes.objects_as_sent import (
    NAME,
    NAMESPACE,
    NOW,
    PLACED,
    READY,
    claim,
    clock,
    condition,
    ended,
    event,
    node,
    pod,
    seen,
    stateful_set,
    tombstone,
    waiting,
)

RUNS = {"state": {"running": {"startedAt": clock(3)}}, "started": True, "ready": True}
LOADS = {**RUNS, "started": False, "ready": False}


def look(*pods: Any, **more: Any) -> Observation:
    return observe(seen(*pods, **more), now=NOW)


def at(seconds: int) -> Any:
    return moment(clock(seconds))


def test_nothing_was_ever_there():
    assert look(stateful_set=None) == Observation(NAME, Phase.GONE, NOW)


def test_a_run_in_full():
    assert look(pod(PLACED, READY, container=RUNS)) == Observation(
        NAME,
        Phase.READY,
        NOW,
        epoch=7,
        run_id="pod",
        upstream=f"{NAME}.{NAMESPACE}.svc.cluster.local:80",
        started_at=at(1),
        ready_at=at(9),
    )


@pytest.mark.parametrize(
    ("conditions", "phase", "ready_at"),
    [
        ([], Phase.STARTING, None),
        ([condition("Ready", "False", at=2)], Phase.STARTING, None),
        ([condition("Ready", "False", at=3)], Phase.STARTING, None),
        ([condition("Ready", at=9)], Phase.READY, at(9)),
        ([condition("Ready", "False", at=70)], Phase.READY, None),
        ([condition("Ready", "Unknown", at=70)], Phase.READY, None),
        ([{"type": "Ready", "status": "False"}], Phase.STARTING, None),
    ],
    ids=["not said", "not yet", "not yet, in the same second", "ready", "lapsed", "lapsed with its machine", "without a moment"],
)
def test_it_is_ready_once_its_service_leads_to_it_and_stays_so(conditions, phase, ready_at):
    """The startup probe's word is not enough, and readiness that lapses for a moment is no new start."""
    found = look(pod(PLACED, *conditions, container=RUNS))
    assert (found.phase, found.reason, found.ready_at) == (phase, None, ready_at)
    assert look(pod(PLACED, *conditions, container=LOADS)).phase == Phase.STARTING


def test_the_readiness_of_an_earlier_life_is_none_of_this_one():
    crashed = condition("Ready", "False", at=50)
    again = {**RUNS, "state": {"running": {"startedAt": clock(60)}}, "restartCount": 1, "lastState": ended(1, finished=50)}
    found = look(pod(PLACED, crashed, container=again))
    assert (found.phase, found.reason) == (Phase.STARTING, Reason.ENGINE_EXITED)


@pytest.mark.parametrize(
    ("config", "address", "upstream"),
    [
        ({"upstream": "cluster-ip"}, "10.96.0.7", "10.96.0.7:80"),
        ({"upstream": "cluster-ip", "service_port": 8080}, "fd00::7", "[fd00::7]:8080"),
        ({"upstream": "cluster-ip"}, "", ""),
        ({"cluster_domain": "k8s.example.net"}, "10.96.0.7", f"{NAME}.{NAMESPACE}.svc.k8s.example.net:80"),
    ],
)
def test_the_upstream_is_what_the_gateway_can_dial(config, address, upstream):
    assert look(pod(PLACED, container=RUNS), settings=Settings(**config), service_ip=address).upstream == upstream


def test_a_wish_that_the_cluster_has_not_noticed_is_pending():
    refused = event("FailedCreate", "exceeded quota", about="set")
    assert look(stateful_set=stateful_set(generation=3), events=[refused]) == Observation(NAME, Phase.PENDING, NOW, epoch=7)


@pytest.mark.parametrize(("applied", "reason"), [(600, None), (8, Reason.QUOTA_EXCEEDED), (0, Reason.QUOTA_EXCEEDED)])
def test_a_refusal_of_an_earlier_wish_is_none_of_this_one(applied, reason):
    refused = event("FailedCreate", "exceeded quota", about="set", last=5)
    annotations = {"aigc-portal.io/applied-at": clock(applied)}
    assert look(stateful_set=stateful_set(annotations=annotations), events=[refused]).reason == reason


def test_a_refusal_before_the_last_pod_was_made_is_over():
    events = [event("FailedCreate", "exceeded quota", about="set", last=5), event("SuccessfulCreate", "…", about="set", last=9)]
    assert look(events=events).reason is None


def test_events_of_others_do_not_count():
    events = [event("FailedCreate", "exceeded quota", about="an older set"), event("Pulling", "…", about="an older pod")]
    assert look(events=events).reason is None
    assert look(waiting("ContainerCreating"), events=events).reason == Reason.PLACED


def test_a_newer_pod_proves_the_end_of_the_older():
    older = pod(PLACED, container=RUNS, uid="older", deletionTimestamp=clock(60), deletionGracePeriodSeconds=30)
    newer = pod(PLACED, container=LOADS, uid="newer", creationTimestamp=clock(40))
    for pods in ((older, newer), (newer, older)):
        found = look(*pods)
        assert (found.phase, found.run_id) == (Phase.STARTING, "newer")
        assert found.ended_runs == (EndedRun("older", at(1), None, at(30)),)


def test_a_pod_that_never_had_a_machine_was_no_run():
    assert look(pod(container=RUNS, uid="newer", creationTimestamp=clock(9)), gone=[pod(uid="older")]).ended_runs == ()


def test_the_last_of_those_gone_is_the_run_that_ended():
    gone = [
        pod(PLACED, uid="first", container={"state": ended(0, finished=20)}),
        pod(PLACED, uid="second", container={"state": ended(0, finished=90)}, creationTimestamp=clock(50)),
    ]
    found = look(stateful_set=stateful_set(replicas=0), gone=gone)
    assert (found.phase, found.run_id, found.started_at, found.ended_at) == (Phase.GONE, "second", at(1), at(90))
    assert found.ended_runs == (EndedRun("first", at(1), None, at(20)),)


def test_a_tombstone_tells_of_the_last_run():
    found = look(stateful_set=None, claim=claim(annotations=tombstone(9, run_id="pod", ended_at=at(90))))
    assert found == Observation(NAME, Phase.GONE, NOW, epoch=9, run_id="pod", ended_at=at(90))


@pytest.mark.parametrize("garbled", ["", "{", "[]", "null", '{"epoch": "x", "run": 3, "ended_at": {}}', "[" * 100_000])
def test_a_garbled_tombstone_tells_nothing(garbled):
    found = look(stateful_set=None, claim=claim(annotations={f"aigc-portal.io/ended.{NAME}": garbled}))
    assert found == Observation(NAME, Phase.GONE, NOW)


def test_what_is_asked_to_stop_is_stopping_before_the_cluster_takes_note():
    found = look(pod(PLACED, container=RUNS), stateful_set=stateful_set(replicas=0, generation=3))
    assert (found.phase, found.reason, found.run_id) == (Phase.STOPPING, None, "pod")
    assert found.upstream == f"{NAME}.{NAMESPACE}.svc.cluster.local:80"


def test_what_has_ended_while_it_stops_is_stopping_until_it_is_gone():
    over = pod(PLACED, container={"state": ended(137)}, status={"phase": "Failed"}, deletionTimestamp=clock(30))
    found = look(over, stateful_set=stateful_set(replicas=0), settings=Settings(max_restarts=0))
    assert (found.phase, found.reason, found.ended_at) == (Phase.STOPPING, None, None)


def test_a_fresh_pod_may_be_heard_of_before_the_wish_that_made_it():
    assert look(pod(), stateful_set=stateful_set(replicas=0)).phase == Phase.PENDING
    assert look(pod(deletionTimestamp=clock(9)), stateful_set=stateful_set(replicas=0)).phase == Phase.STOPPING


def test_a_stateful_set_on_its_way_out_takes_its_pod_along():
    going = stateful_set(deletionTimestamp=clock(9))
    assert look(pod(PLACED, container=RUNS), stateful_set=going).phase == Phase.STOPPING
    assert look(pod(), stateful_set=going).phase == Phase.STOPPING
    assert look(stateful_set=going).phase == Phase.GONE


def test_a_pod_without_its_stateful_set_speaks_for_itself():
    found = look(pod(PLACED, READY, container=RUNS), stateful_set=None)
    assert (found.phase, found.run_id, found.epoch) == (Phase.READY, "pod", 0)


def test_a_pod_that_only_looks_after_the_data_is_no_run():
    files = pod(PLACED, container=RUNS, labels={"aigc-portal.io/role": "files"})
    assert look(files, stateful_set=stateful_set(replicas=0)).phase == Phase.GONE


def test_a_pod_on_a_lost_machine_is_stopping_and_not_gone():
    stuck = pod(PLACED, condition("Ready", "False"), container=RUNS, deletionTimestamp=clock(60), deletionGracePeriodSeconds=30)
    found = look(stuck, stateful_set=stateful_set(replicas=0), node=node("Unknown", "node.kubernetes.io/unreachable"))
    assert (found.phase, found.reason, found.run_id, found.ended_at) == (Phase.STOPPING, Reason.NODE_LOST, "pod", None)


def test_a_pod_that_was_deleted_by_force_ended_when_that_was_asked():
    forced = pod(PLACED, container=RUNS, deletionTimestamp=clock(90), deletionGracePeriodSeconds=30)
    assert look(stateful_set=stateful_set(replicas=0), gone=[forced]).ended_at == at(60)


@pytest.mark.parametrize(
    ("what", "started_at"),
    [
        (pod(), None),
        (pod(spec={"nodeName": "gpu-1"}), at(0)),
        (pod(container=LOADS, spec={"nodeName": "gpu-1"}), at(3)),
        (pod({"type": "PodScheduled", "status": "True"}, container=LOADS), at(3)),
    ],
    ids=["no machine", "made", "began", "placed without a moment"],
)
def test_the_gpu_is_taken_from_when_the_machine_was_chosen(what, started_at):
    assert look(what).started_at == started_at


def test_clocks_that_differ_change_no_moment_of_the_clusters():
    """The cluster's moments are compared with each other only; what is ahead of the portal's clock is left as it is."""
    ahead = pod(PLACED, READY, container=RUNS)
    found = observe(seen(ahead), now=at(0) - timedelta(hours=1))
    assert (found.phase, found.started_at, found.ready_at) == (Phase.READY, at(1), at(9))


def test_an_engine_that_began_again_is_ready_without_a_word_on_the_past():
    again = pod(PLACED, READY, container={**RUNS, "restartCount": 2, "lastState": ended(1)})
    assert (look(again).phase, look(again).reason, look(again).evidence) == (Phase.READY, None, "")


def test_restarts_that_the_cluster_has_lost_the_words_of():
    again = pod(PLACED, container={**LOADS, "restartCount": 1})
    assert (look(again).phase, look(again).reason) == (Phase.STARTING, Reason.ENGINE_EXITED)


def test_one_restart_too_many_is_broken_even_while_the_next_life_runs():
    for life in (RUNS, LOADS, {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}):
        found = look(pod(PLACED, container={**life, "restartCount": 4, "lastState": ended(1, message="last words")}))
        assert (found.phase, found.reason, found.evidence) == (Phase.BROKEN, Reason.ENGINE_EXITED, "exit code 1\nlast words")
        assert (found.run_id, found.upstream, found.ended_at) == ("pod", "", None)


def test_an_engine_that_cannot_be_made_again_waits_for_what_is_missing():
    life = {
        "state": {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "hub" not found'}},
        "lastState": ended(1),
    }
    assert (look(pod(PLACED, container=life)).phase, look(pod(PLACED, container=life)).reason) == (
        Phase.BROKEN,
        Reason.CONFIG_MISSING,
    )


@pytest.mark.parametrize(
    ("kill", "reason"),
    [
        (event("Killing", "Container engine failed startup probe, will be restarted", first=18, last=18), Reason.START_TIMEOUT),
        (event("Killing", "Container engine failed startup probe, will be restarted", first=5, last=40), Reason.START_TIMEOUT),
        (event("Killing", "Container engine failed startup probe, will be restarted", first=1, last=9), Reason.ENGINE_KILLED),
        (event("Killing", "Container engine failed startup probe, will be restarted", first=30, last=40), Reason.ENGINE_KILLED),
        (event("Killing", "Container engine failed liveness probe, will be restarted", first=18, last=18), Reason.ENGINE_KILLED),
        (event("Killing", "Stopping container engine", first=18, last=18), Reason.ENGINE_KILLED),
    ],
    ids=["in this life", "in this life and others", "in an earlier life", "in a later life", "another probe", "no probe"],
)
def test_the_startup_probe_explains_only_the_lives_that_it_ended(kill, reason):
    assert look(pod(PLACED, container={"state": ended(137, began=10, finished=20)}), events=[kill]).reason == reason


def test_an_init_container_that_does_not_end_well_holds_up_the_engine():
    init = {"name": "fetch", "restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended(1)}
    held_up = waiting("PodInitializing", status={"initContainerStatuses": [init]})
    assert (look(held_up).phase, look(held_up).reason) == (Phase.PENDING, Reason.ENGINE_EXITED)
    init["restartCount"] = 3
    assert (look(held_up).phase, look(held_up).reason) == (Phase.BROKEN, Reason.ENGINE_EXITED)


@pytest.mark.parametrize(
    "init",
    [
        {"name": "fetch", "state": ended(0, "Completed")},
        {"name": "beside", "started": True, "state": {"running": {}}},
    ],
    ids=["done", "beside the engine"],
)
def test_an_init_container_that_is_done_holds_up_nobody(init):
    assert look(pod(PLACED, container=LOADS, status={"initContainerStatuses": [init]})).phase == Phase.STARTING


def turned_away(uid: str, created: int) -> Any:
    message = "Allocate failed due to no healthy devices present; cannot allocate unhealthy devices nvidia.com/gpu"
    status = {"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": message}
    return pod(PLACED, uid=uid, status=status, creationTimestamp=clock(created))


def test_pods_that_fail_one_after_the_other_are_given_up():
    applied = stateful_set(annotations={"aigc-portal.io/applied-at": clock(100)})
    gone = [turned_away(f"pod-{n}", 100 + n) for n in range(4)]
    fresh = pod(uid="fresh", creationTimestamp=clock(200))
    for pods in ((fresh,), (turned_away("pod-9", 200),)):
        found = look(*pods, stateful_set=applied, gone=gone)
        assert (found.phase, found.reason, found.run_id) == (Phase.BROKEN, Reason.GPU_BROKEN, pods[0]["metadata"]["uid"])
    assert (
        look(pod(PLACED, READY, container=RUNS, uid="fresh", creationTimestamp=clock(200)), stateful_set=applied, gone=gone).phase
        == Phase.READY
    )


@pytest.mark.parametrize(
    "gone",
    [
        [turned_away(f"pod-{n}", 100 + n) for n in range(3)],
        [turned_away(f"pod-{n}", 80 + n) for n in range(4)],
        [turned_away(f"pod-{n}", 100 + 400 * n) for n in range(4)],
        [
            *(turned_away(f"pod-{n}", 100 + n) for n in range(4)),
            pod(PLACED, uid="well", container=RUNS, creationTimestamp=clock(110)),
        ],
    ],
    ids=["not often enough", "before this wish", "hours apart", "one in between ran"],
)
def test_pods_that_fail_now_and_then_are_replaced(gone):
    applied = stateful_set(annotations={"aigc-portal.io/applied-at": clock(100)})
    fresh = pod(uid="fresh", creationTimestamp=clock(2000))
    assert look(fresh, stateful_set=applied, gone=gone).phase == Phase.PENDING


def test_telling_again_changes_nothing():
    sandbox = (
        'Failed to create pod sandbox: failed to setup network for sandbox "{}": dial tcp 10.1.0.5:{}->10.96.0.1:443: i/o timeout'
    )
    first = event("FailedCreatePodSandBox", sandbox.format("ab" * 32, 53412))
    again = event(
        "FailedCreatePodSandBox", "(combined from similar events): " + sandbox.format("cd" * 32, 41876), count=23, last=240
    )
    found = [look(waiting("ContainerCreating"), events=[each]) for each in (first, again)]
    assert found[0] == found[1]
    assert found[0].evidence == (
        'FailedCreatePodSandBox: Failed to create pod sandbox: failed to setup network for sandbox "…": '
        "dial tcp 10.1.0.5->10.96.0.1:443: i/o timeout"
    )


def test_evidence_is_bounded_and_keeps_the_last_words():
    message = "".join(f"line {n} 生成 {'x' * 300}\n" for n in range(100)) + "the very last"
    found = look(pod(PLACED, container={"state": ended(1, message=message)}))
    assert len(found.evidence.encode()) <= EVIDENCE_BYTES
    assert found.evidence.startswith("exit code 1\n")
    assert found.evidence.endswith("\nthe very last")


def test_pruning_twice_changes_nothing_and_keeps_what_is_ours():
    kinds = {
        "Pod": pod(PLACED, container=RUNS),
        "StatefulSet": stateful_set(),
        "Event": event("Pulling", "…"),
        "Node": node("Unknown", "x"),
    }
    kinds["PersistentVolumeClaim"] = claim(
        annotations={**tombstone(1), "other": "x"}, labels={"aigc-portal.io/volume": "v", "a": "b"}
    )
    for kind, obj in kinds.items():
        once = prune(kind, obj)
        assert prune(kind, once) == once
    kept = prune("PersistentVolumeClaim", kinds["PersistentVolumeClaim"])["metadata"]
    assert (set(kept["annotations"]), kept["labels"]) == ({f"aigc-portal.io/ended.{NAME}"}, {"aigc-portal.io/volume": "v"})
