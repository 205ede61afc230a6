"""Scenarios: what a watch says here is what it said on a real cluster, in the same order, but for time, names and numbers."""

import re
from collections.abc import Callable
from typing import Any

from tests.kubernetes.double import KubernetesDouble
from tests.kubernetes.double.resources import BY_PLURAL
from tests.kubernetes.scenes import (
    MERGE,
    NAMESPACE,
    SETS,
    Client,
    container,
    engine_state,
    pod_of,
    recorded,
    stateful_set,
    until_ready,
    waits_for,
)
from tests.waiting import wait_until

Step = tuple[Any, ...]


def pod_step(event: dict[str, Any]) -> Step:
    """One event of a Pod, without what is drawn anew: its phase, where it ends, conditions, and its container's state."""
    pod = event["object"]
    status, metadata = pod["status"], pod["metadata"]
    conditions = tuple((each["type"], each["status"], each.get("reason", "")) for each in status.get("conditions", []))
    states = tuple(engine(each) for each in status.get("containerStatuses", []))
    ending = metadata.get("deletionGracePeriodSeconds") if "deletionTimestamp" in metadata else None
    return (event["type"], status["phase"], status.get("reason", ""), ending, metadata["generation"], conditions, states)


def engine(status: dict[str, Any]) -> Step:
    return (spoken(status["state"]), spoken(status["lastState"]), status["ready"], status["started"], status["restartCount"])


def spoken(state: dict[str, Any]) -> str:
    """`running`, `waiting CrashLoopBackOff`, `terminated Error 137`."""
    return " ".join(f"{kind} {inner.get('reason', '')} {inner.get('exitCode', '')}".strip() for kind, inner in state.items())


def set_step(event: dict[str, Any]) -> Step:
    metadata, status = event["object"]["metadata"], dict(event["object"]["status"])
    status = {name: value for name, value in status.items() if not name.endswith("Revision")}
    return (event["type"], metadata["generation"], "deletionTimestamp" in metadata, tuple(sorted(status.items())))


def distinct(steps: list[Step]) -> list[Step]:
    """Leave out repetitions: events that differ only in what a step does not tell."""
    return [step for index, step in enumerate(steps) if index == 0 or step != steps[index - 1]]


def steps_recorded(name: str, kind: str, step: Callable[[dict[str, Any]], Step]) -> list[Step]:
    events = [event for event in recorded(name) if event["kind"] == kind and event["type"] != "BOOKMARK"]
    return distinct([step(event) for event in events])


def steps_here(double: KubernetesDouble, plural: str, step: Callable[[dict[str, Any]], Step]) -> list[Step]:
    changes = list(double.cluster.store.changes[BY_PLURAL[plural]])
    return distinct([step({"type": change.type, "object": change.document}) for change in changes])


def events_of(objects: list[dict[str, Any]]) -> set[Step]:
    """What was said, by whom and about what; not how often. The recorded node had no DNS and said so."""
    said = set()
    for event in objects:
        if event["reason"] not in ("MissingClusterDNS", "Unhealthy"):
            message = re.sub(r"\([0-9a-f-]{36}\)", "(uid)", event["message"])
            message = re.sub(r"sd-\w+-0", "POD", re.sub(r"in StatefulSet sd-\w+", "in StatefulSet SET", message))
            message = message.replace("lab/python:3.11", "IMAGE").replace("double/", "IMAGE/")
            message = re.sub(r"IMAGE/[\w.-]+", "IMAGE", message)
            said.add((event["involvedObject"]["kind"], event["type"], event["reason"], message, event["reportingComponent"]))
    return said


def said_in(name: str) -> set[Step]:
    return events_of([event["object"] for event in recorded(name) if event["kind"] == "Event"])


def said_here(double: KubernetesDouble) -> set[Step]:
    return events_of(double.objects("events", NAMESPACE))


def launch(client: Client, name: str, image: str = "double/sleep", **changes: Any) -> None:
    assert client.ask("POST", SETS, stateful_set(name, image, **changes))[0] == 201


def scale(client: Client, name: str, replicas: int) -> None:
    assert client.patch(f"{SETS}/{name}/scale", {"spec": {"replicas": replicas}}, MERGE)[0] == 200


def test_launch_pause_resume_delete(double: KubernetesDouble, client: Client) -> None:
    # Ends by SIGKILL, as the recorded engine did: it was process 1 of its container, which SIGTERM does not end.
    launch(client, "sd-1", "double/stubborn", pod={"terminationGracePeriodSeconds": 1})
    until_ready(double, "sd-1")
    scale(client, "sd-1", 0)
    wait_until(lambda: not pod_of(double, "sd-1"))
    scale(client, "sd-1", 1)
    until_ready(double, "sd-1")
    wait_until(lambda: (double.get("statefulsets", NAMESPACE, "sd-1") or {})["status"].get("readyReplicas") == 1)
    assert client.ask("DELETE", f"{SETS}/sd-1", {"propagationPolicy": "Foreground"})[0] == 200
    wait_until(lambda: double.get("statefulsets", NAMESPACE, "sd-1") is None)
    wanted = [
        tuple(1 if part == 5 else part for part in step) for step in steps_recorded("launch-pause-resume-delete", "Pod", pod_step)
    ]
    assert steps_here(double, "pods", pod_step) == wanted
    assert said_here(double) == said_in("launch-pause-resume-delete")


def test_the_set_tells_the_same_numbers(double: KubernetesDouble, client: Client) -> None:
    launch(client, "sd-1", "double/stubborn", pod={"terminationGracePeriodSeconds": 1})
    until_ready(double, "sd-1")
    scale(client, "sd-1", 0)
    wait_until(lambda: not pod_of(double, "sd-1"))
    wait_until(lambda: (double.get("statefulsets", NAMESPACE, "sd-1") or {})["status"]["replicas"] == 0)
    here = steps_here(double, "statefulsets", set_step)
    real = steps_recorded("launch-pause-resume-delete", "StatefulSet", set_step)
    # The real controller's writes come a moment later than its reads; which of two numbers goes first is chance.
    final = [step for step in here if step[1] == 2][-1]
    assert final == [step for step in real if step[1] == 2][-1]
    assert [step for step in here if step[1] == 1][-1] == [step for step in real if step[1] == 1][-1]
    assert here[0] == real[0]


def test_no_gpu_is_said_in_the_same_words(double: KubernetesDouble, client: Client) -> None:
    launch(client, "sd-2", resources={"limits": {"nvidia.com/gpu": "16", "cpu": "500m", "memory": "256Mi"}})
    check_waiting(double, "sd-2", "unschedulable-no-gpu")


def test_no_node_of_the_kind_is_said_in_the_same_words(double: KubernetesDouble, client: Client) -> None:
    launch(client, "sd-2b", pod={"nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-H100"}})
    check_waiting(double, "sd-2b", "unschedulable-node-selector")


def test_a_missing_claim_is_said_in_the_same_words(double: KubernetesDouble, client: Client) -> None:
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "nope"}}]
    launch(client, "sd-7", pod={"volumes": volumes})
    check_waiting(double, "sd-7", "missing-volume-claim")


def check_waiting(double: KubernetesDouble, name: str, recording: str) -> None:
    wait_until(lambda: pod_of(double, name).get("status", {}).get("conditions"))
    assert steps_here(double, "pods", pod_step) == steps_recorded(recording, "Pod", pod_step)
    real = [event["object"] for event in recorded(recording) if event["kind"] == "Pod"][-1]
    wanted = real["status"]["conditions"][0] | {"lastTransitionTime": ""}
    assert pod_of(double, name)["status"]["conditions"][0] | {"lastTransitionTime": ""} == wanted
    assert said_here(double) == said_in(recording)


def test_an_engine_that_cannot_start_is_restarted_ever_later(double: KubernetesDouble, client: Client) -> None:
    launch(client, "sd-4", "double/exit-1")
    wait_until(lambda: restarts(double, "sd-4") == 2 and waits_for(double, "sd-4", "CrashLoopBackOff")())
    assert steps_here(double, "pods", pod_step) == steps_recorded("crash-loop", "Pod", pod_step)
    assert said_here(double) == said_in("crash-loop")
    told = engine_state(double, "sd-4")["waiting"]["message"]
    assert re.fullmatch(r"back-off 20s restarting failed container=engine pod=sd-4-0_aigc-acme\([0-9a-f-]{36}\)", told)


def restarts(double: KubernetesDouble, name: str) -> int:
    statuses = pod_of(double, name).get("status", {}).get("containerStatuses") or [{"restartCount": 0}]
    return int(statuses[0]["restartCount"])


def test_too_much_memory(double: KubernetesDouble, client: Client) -> None:
    launch(client, "sd-5", "double/never-ready")
    for life in range(2):
        wait_until(lambda life=life: restarts(double, "sd-5") == life and "running" in engine_state(double, "sd-5"))
        double.oom_kill(NAMESPACE, "sd-5-0")
    wait_until(waits_for(double, "sd-5", "CrashLoopBackOff"))
    assert steps_here(double, "pods", pod_step) == steps_recorded("oom-killed", "Pod", pod_step)


def test_an_engine_that_ends_after_a_while(double: KubernetesDouble, client: Client) -> None:
    # The recorded engine answered its probes with 501, so that it was never ready.
    launch(client, "sd-9", "double/never-ready")
    for life in range(2):
        wait_until(lambda life=life: restarts(double, "sd-9") == life and "running" in engine_state(double, "sd-9"))
        double.exit(NAMESPACE, "sd-9-0", 137)
    wait_until(waits_for(double, "sd-9", "CrashLoopBackOff"))
    assert steps_here(double, "pods", pod_step) == steps_recorded("engine-exits-after-ready", "Pod", pod_step)


def test_an_image_that_cannot_be_pulled(double: KubernetesDouble, client: Client) -> None:
    launch(client, "sd-3", "double/no-such")
    wait_until(waits_for(double, "sd-3", "ImagePullBackOff"))
    assert [step[5:] for step in steps_here(double, "pods", pod_step)] == [
        step[5:] for step in steps_recorded("image-pull-backoff", "Pod", pod_step)
    ]
    told = engine_state(double, "sd-3")["waiting"]["message"]
    assert told.startswith('Back-off pulling image "double/no-such": ErrImagePull: failed to pull and unpack image')


def test_a_secret_that_is_not_there(double: KubernetesDouble, client: Client) -> None:
    variable = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "nope", "key": "token"}}}
    launch(client, "sd-6", env=[variable])
    wait_until(waits_for(double, "sd-6", "CreateContainerConfigError"))
    assert steps_here(double, "pods", pod_step) == steps_recorded("config-error-missing-secret", "Pod", pod_step)
    assert said_here(double) == said_in("config-error-missing-secret")
    double.load(
        [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "nope", "namespace": NAMESPACE},
                "stringData": {"token": "x"},
            }
        ]
    )
    until_ready(double, "sd-6")


def test_an_engine_that_never_listens(double: KubernetesDouble, client: Client) -> None:
    probe = {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1}
    launch(client, "sd-8", "double/frozen", startupProbe=probe, pod={"terminationGracePeriodSeconds": 1})
    wait_until(lambda: restarts(double, "sd-8") == 2)
    here = steps_here(double, "pods", pod_step)
    assert here == steps_recorded("startup-probe-failure", "Pod", pod_step)[: len(here)]
    assert said_here(double) == said_in("startup-probe-failure")


def test_a_pod_that_somebody_deleted_comes_back(double: KubernetesDouble, client: Client) -> None:
    launch(client, "sd-11", "double/stubborn", pod={"terminationGracePeriodSeconds": 1})
    until_ready(double, "sd-11")
    first = pod_of(double, "sd-11")["metadata"]["uid"]
    double.delete("pods", NAMESPACE, "sd-11-0")
    wait_until(lambda: pod_of(double, "sd-11").get("metadata", {}).get("uid", first) != first)
    until_ready(double, "sd-11")
    real = [tuple(1 if part == 5 else part for part in step) for step in steps_recorded("pod-deleted-outside", "Pod", pod_step)]
    assert steps_here(double, "pods", pod_step)[: len(real)] == real


def test_a_pod_that_is_evicted_comes_back(double: KubernetesDouble, client: Client) -> None:
    launch(client, "sd-10", "double/never-ready")
    wait_until(lambda: "running" in engine_state(double, "sd-10"))
    double.evict(NAMESPACE, "sd-10-0", "Pod ephemeral local storage usage exceeds the total limit of containers 20Mi. ")
    wait_until(lambda: engine_state(double, "sd-10").get("running") and pod_of(double, "sd-10")["status"].get("reason") is None)
    here = steps_here(double, "pods", pod_step)
    assert here == steps_recorded("evicted", "Pod", pod_step)[: len(here)]
    assert said_here(double) == said_in("evicted")


def test_a_quota_keeps_the_second_pod_out(double: KubernetesDouble, client: Client) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "gpu", "namespace": NAMESPACE}}
    double.load([{**quota, "spec": {"hard": {"requests.nvidia.com/gpu": "1"}}}])
    launch(client, "sd-12a")
    until_ready(double, "sd-12a")
    launch(client, "sd-12b")
    wait_until(lambda: any(event["reason"] == "FailedCreate" for event in double.objects("events", NAMESPACE)))
    failed = [event for event in double.objects("events", NAMESPACE) if event["reason"] == "FailedCreate"]
    real = [event["object"] for event in recorded("quota-exceeded") if event["object"].get("reason") == "FailedCreate"]
    assert {event["message"] for event in failed} == {event["message"] for event in real}
    assert (double.get("statefulsets", NAMESPACE, "sd-12b") or {})["status"]["replicas"] == 0
    scale(client, "sd-12a", 0)
    until_ready(double, "sd-12b")


def test_a_drained_node(double: KubernetesDouble, client: Client) -> None:
    launch(client, "sd-13", "double/stubborn", pod={"terminationGracePeriodSeconds": 1})
    until_ready(double, "sd-13")
    assert double.drain("lab-node") == []
    wait_until(
        lambda: any(
            each.get("reason") == "Unschedulable" for each in pod_of(double, "sd-13").get("status", {}).get("conditions", [])
        )
    )
    double.uncordon("lab-node")
    until_ready(double, "sd-13")
    real = [tuple(1 if part == 5 else part for part in step) for step in steps_recorded("node-drained", "Pod", pod_step)]
    assert steps_here(double, "pods", pod_step) == real
    assert said_here(double) == said_in("node-drained")


def test_the_engine_of_the_scenes_is_the_recorded_one() -> None:
    real = next(event["object"] for event in recorded("launch-pause-resume-delete") if event["kind"] == "StatefulSet")
    assert container("lab/python:3.11")["args"] == real["spec"]["template"]["spec"]["containers"][0]["args"]
