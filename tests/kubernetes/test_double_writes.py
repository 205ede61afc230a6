"""Writes: apply, patches, preconditions, deletion, as a real server does them."""

from typing import Any

from tests.kubernetes.double import KubernetesDouble
from tests.kubernetes.scenes import (
    APPLY,
    CLAIMS,
    JSON_PATCH,
    MERGE,
    NAMESPACE,
    PODS,
    SETS,
    STRATEGIC,
    Client,
    claim,
    pod_of,
    stateful_set,
    until_ready,
)
from tests.waiting import wait_until


def apply(client: Client, document: dict[str, Any], manager: str = "portal", **query: str) -> tuple[int, Any]:
    return client.patch(f"{SETS}/{document['metadata']['name']}", document, APPLY, fieldManager=manager, **query)


def test_apply_creates_then_changes_nothing(double: KubernetesDouble, client: Client) -> None:
    document = stateful_set("a")
    document["spec"]["replicas"] = 0
    first, created = apply(client, document)
    wait_until(lambda: (double.get("statefulsets", NAMESPACE, "a") or {})["status"].get("observedGeneration") == 1)
    before = double.get("statefulsets", NAMESPACE, "a")
    second, same = apply(client, document)
    assert (first, second) == (201, 200)
    assert same == before
    assert created["metadata"]["generation"] == same["metadata"]["generation"] == 1


def test_what_a_manager_no_longer_applies_goes(client: Client) -> None:
    document = stateful_set("a", env=[{"name": "ONE", "value": "1"}, {"name": "TWO", "value": "2"}])
    document["metadata"]["annotations"] = {"kept": "1", "dropped": "1"}
    document["spec"]["replicas"] = 0
    apply(client, document)
    document["metadata"]["annotations"] = {"kept": "1"}
    document["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "TWO", "value": "2"}]
    status, changed = apply(client, document)
    assert status == 200
    assert changed["metadata"]["annotations"] == {"kept": "1"}
    assert changed["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "TWO", "value": "2"}]
    assert changed["metadata"]["generation"] == 2


def test_what_another_manager_owns_stays(client: Client) -> None:
    document = stateful_set("a")
    document["spec"]["replicas"] = 0
    apply(client, document)
    assert client.patch(f"{SETS}/a", {"metadata": {"annotations": {"theirs": "1"}}}, MERGE, fieldManager="somebody")[0] == 200
    document["metadata"]["annotations"] = {"ours": "1"}
    assert apply(client, document)[1]["metadata"]["annotations"] == {"theirs": "1", "ours": "1"}


def test_a_patched_field_belongs_to_who_patched_it(client: Client) -> None:
    document = stateful_set("a")
    document["spec"]["replicas"] = 0
    apply(client, document)
    patch = [{"op": "replace", "path": "/spec/replicas", "value": 1}]
    assert client.patch(f"{SETS}/a", patch, JSON_PATCH, fieldManager="portal")[0] == 200
    status, refusal = apply(client, document)
    assert (status, refusal["message"]) == (
        409,
        'Apply failed with 1 conflict: conflict with "portal" using apps/v1: .spec.replicas',
    )
    status, forced = apply(client, document, force="true")
    assert (status, forced["spec"]["replicas"]) == (200, 0)
    assert apply(client, document)[0] == 200


def test_several_conflicts_are_listed(client: Client) -> None:
    for manager, data, wanted in (("x", {"a": "1", "b": "1"}, 201), ("y", {"a": "2", "b": "2"}, 409)):
        document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}
        path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/c"
        status, answer = client.patch(path, document, APPLY, fieldManager=manager)
        assert status == wanted
    assert answer["message"] == 'Apply failed with 2 conflicts: conflicts with "x":\n- .data.a\n- .data.b'


def test_an_applied_version_and_uid_are_preconditions(double: KubernetesDouble, client: Client) -> None:
    document = stateful_set("a")
    document["spec"]["replicas"] = 0
    _, created = apply(client, document)
    metadata = document["metadata"]
    document["metadata"] = {**metadata, "resourceVersion": "1"}
    assert apply(client, document)[1]["reason"] == "Conflict"
    document["metadata"] = {**metadata, "uid": "00000000-0000-0000-0000-000000000000"}
    assert apply(client, document)[0] == 422
    double.delete("statefulsets", NAMESPACE, "a")
    document["metadata"] = {**metadata, "uid": created["metadata"]["uid"]}
    status, refusal = apply(client, document)
    assert (status, refusal["message"].split(": ", 1)[1]) == (
        409,
        f"uid mismatch: the provided object specified uid {created['metadata']['uid']}, and no existing object was found",
    )
    # A version alone does not keep an apply from creating: only a UID does.
    document["metadata"] = {**metadata, "resourceVersion": "1"}
    assert apply(client, document)[0] == 201


def test_apply_needs_a_manager(client: Client) -> None:
    status, refusal = client.patch(f"{SETS}/a", stateful_set("a"), APPLY)
    assert (status, refusal["reason"]) == (422, "Invalid")


def test_a_rehearsal_changes_nothing(double: KubernetesDouble, client: Client) -> None:
    assert apply(client, stateful_set("a"), dryRun="All")[0] == 201
    assert double.get("statefulsets", NAMESPACE, "a") is None


def test_an_unknown_field_is_refused_where_that_is_asked(client: Client) -> None:
    document = stateful_set("a")
    document["spec"]["replicaz"] = 1
    status, refusal = apply(client, document, fieldValidation="Strict")
    assert (status, refusal["reason"]) == (400, "BadRequest")
    assert 'strict decoding error: unknown field "spec.replicaz"' in refusal["message"]
    assert apply(client, document)[0] == 201


def test_a_json_patch_is_whole_or_not_at_all(double: KubernetesDouble, client: Client) -> None:
    client.ask("POST", SETS, stateful_set("a") | {"metadata": {"name": "a", "annotations": {"epoch": "3"}}})
    before = double.get("statefulsets", NAMESPACE, "a")["spec"]  # type: ignore[index]
    patch = [
        {"op": "replace", "path": "/spec/replicas", "value": 0},
        {"op": "test", "path": "/metadata/annotations/epoch", "value": "4"},
    ]
    status, refusal = client.patch(f"{SETS}/a", patch, JSON_PATCH)
    assert (status, refusal["reason"]) == (422, "Invalid")
    assert refusal["message"] == "the server rejected our request due to an error in our request"
    assert double.get("statefulsets", NAMESPACE, "a")["spec"] == before  # type: ignore[index]
    patch[1]["value"] = "3"
    status, done = client.patch(f"{SETS}/a", patch, JSON_PATCH)
    assert (status, done["spec"]["replicas"], done["metadata"]["generation"]) == (200, 0, 2)


def test_a_json_patch_tests_what_is_not_there(client: Client) -> None:
    client.ask("POST", SETS, stateful_set("a"))
    missing = [{"op": "test", "path": "/metadata/annotations", "value": None}]
    assert client.patch(f"{SETS}/a", missing, JSON_PATCH)[0] == 200
    assert client.patch(f"{SETS}/a", [{"op": "remove", "path": "/metadata/annotations/x"}], JSON_PATCH)[0] == 422


def test_a_strategic_patch_goes_by_names(client: Client) -> None:
    client.ask("POST", SETS, stateful_set("a", env=[{"name": "ONE", "value": "1"}]))
    change = {"name": "engine", "env": [{"name": "TWO", "value": "2"}]}
    _, done = client.patch(f"{SETS}/a", {"spec": {"template": {"spec": {"containers": [change]}}}}, STRATEGIC)
    container = done["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "ONE", "value": "1"}, {"name": "TWO", "value": "2"}]
    assert container["image"] == "double/sleep"


def test_what_a_set_may_not_change(client: Client) -> None:
    client.ask("POST", SETS, stateful_set("a"))
    status, refusal = client.patch(f"{SETS}/a", {"spec": {"serviceName": "other"}}, MERGE)
    assert (status, refusal["details"]["group"], refusal["details"]["causes"][0]["reason"]) == (
        422,
        "apps",
        "FieldValueForbidden",
    )
    assert refusal["message"].startswith(
        'StatefulSet.apps "a" is invalid: spec: Forbidden: updates to statefulset spec for fields'
    )


def test_what_a_claim_may_not_change(client: Client) -> None:
    client.ask("POST", CLAIMS, claim("v"))
    assert client.patch(f"{CLAIMS}/v", {"spec": {"accessModes": ["ReadWriteMany"]}}, MERGE)[0] == 422
    assert client.patch(f"{CLAIMS}/v", {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}, MERGE)[0] == 200


def test_a_scale_is_read_and_written(client: Client) -> None:
    client.ask("POST", SETS, stateful_set("a"))
    _, scale = client.ask("GET", f"{SETS}/a/scale")
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 1})
    stale = {**scale, "spec": {"replicas": 0}, "metadata": {**scale["metadata"], "resourceVersion": "1"}}
    assert client.ask("PUT", f"{SETS}/a/scale", stale)[0] == 409
    assert client.patch(f"{SETS}/a/scale", {"spec": {"replicas": 0}}, MERGE)[1]["spec"] == {"replicas": 0}


def test_status_is_written_apart(client: Client) -> None:
    client.ask("POST", SETS, stateful_set("a"))
    patch = {"spec": {"replicas": 0}, "status": {"replicas": 7}}
    _, whole = client.patch(f"{SETS}/a", patch, MERGE)
    assert whole["spec"]["replicas"] == 0
    assert whole["status"].get("replicas") != 7
    _, status = client.patch(f"{SETS}/a/status", {"spec": {"replicas": 1}, "status": {"collisionCount": 7}}, MERGE)
    assert (status["spec"]["replicas"], status["status"]["collisionCount"]) == (0, 7)


def test_a_deleted_set_takes_its_pod_with_it(double: KubernetesDouble, client: Client) -> None:
    client.ask("POST", SETS, stateful_set("a"))
    until_ready(double, "a")
    status, answer = client.ask("DELETE", f"{SETS}/a")
    assert (status, answer["status"], answer["details"]["kind"]) == (200, "Success", "statefulsets")
    assert double.get("statefulsets", NAMESPACE, "a") is None
    wait_until(lambda: not pod_of(double, "a"))


def test_an_orphaned_pod_stays(double: KubernetesDouble, client: Client) -> None:
    client.ask("POST", SETS, stateful_set("a"))
    until_ready(double, "a")
    assert client.ask("DELETE", f"{SETS}/a", {"propagationPolicy": "Orphan"})[0] == 200
    wait_until(lambda: double.get("statefulsets", NAMESPACE, "a") is None)
    assert pod_of(double, "a")["metadata"]["ownerReferences"] == []


def test_a_shorter_grace_hastens_the_end(double: KubernetesDouble, client: Client) -> None:
    client.ask("POST", SETS, stateful_set("a", "double/stubborn", pod={"terminationGracePeriodSeconds": 600}))
    until_ready(double, "a")
    uid = pod_of(double, "a")["metadata"]["uid"]
    client.patch(f"{SETS}/a/scale", {"spec": {"replicas": 0}}, MERGE)
    wait_until(lambda: "deletionTimestamp" in pod_of(double, "a")["metadata"])
    status, pod = client.ask("DELETE", f"{PODS}/a-0", {"gracePeriodSeconds": 1, "preconditions": {"uid": uid}})
    assert (status, pod["metadata"]["deletionGracePeriodSeconds"]) == (200, 1)
    wait_until(lambda: not pod_of(double, "a"), seconds=5)


def test_a_claim_in_use_outlives_its_deletion(double: KubernetesDouble, client: Client) -> None:
    client.ask("POST", CLAIMS, claim("v"))
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "v"}}]
    client.ask("POST", SETS, stateful_set("a", pod={"volumes": volumes}))
    until_ready(double, "a")
    assert (double.get("persistentvolumeclaims", NAMESPACE, "v") or {})["status"]["phase"] == "Bound"
    assert client.ask("DELETE", f"{CLAIMS}/v")[1]["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    assert double.get("persistentvolumeclaims", NAMESPACE, "v") is not None
    client.patch(f"{SETS}/a/scale", {"spec": {"replicas": 0}}, MERGE)
    wait_until(lambda: double.get("persistentvolumeclaims", NAMESPACE, "v") is None)


def test_a_changed_template_waits_for_the_next_start(double: KubernetesDouble, client: Client) -> None:
    document = stateful_set("a")
    document["spec"]["updateStrategy"] = {"type": "OnDelete"}
    client.ask("POST", SETS, document)
    until_ready(double, "a")
    uid = pod_of(double, "a")["metadata"]["uid"]
    change = {"name": "engine", "image": "double/ready-after-0.1s"}
    client.patch(f"{SETS}/a", {"spec": {"template": {"spec": {"containers": [change]}}}}, STRATEGIC)
    wait_until(lambda: (double.get("statefulsets", NAMESPACE, "a") or {})["status"]["observedGeneration"] == 2)
    assert pod_of(double, "a")["metadata"]["uid"] == uid
    client.ask("DELETE", f"{PODS}/a-0")
    wait_until(lambda: pod_of(double, "a") and pod_of(double, "a")["metadata"]["uid"] != uid)
    assert pod_of(double, "a")["spec"]["containers"][0]["image"] == "double/ready-after-0.1s"
