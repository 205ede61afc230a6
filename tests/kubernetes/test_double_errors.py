"""Refusals: each request that was recorded gets the recorded answer."""

import json
import re
from typing import Any

from tests.kubernetes.double import KubernetesDouble
from tests.kubernetes.scenes import NAMESPACE, PODS, Client, Connect, container, namespace, recorded
from tests.waiting import wait_until

CASES = {case["case"]: case for case in recorded("api-errors")}
KINDS = {"server-side-apply": "application/apply-patch+yaml", "immutable": "application/strategic-merge-patch+json"}


def send(client: Client, name: str, body: Any = None) -> tuple[int, Any]:
    case = CASES[name]
    kind = next((kind for word, kind in KINDS.items() if name.startswith(word)), "application/json")
    return client.ask(
        case["method"], case["path"], case["request"] if body is None else body, kind=kind, **(case["params"] or {})
    )


def check(client: Client, name: str, body: Any = None, **replaced: str) -> None:
    """Send a recorded request and compare; `replaced` are parts of the recorded answer that stand for others here."""
    status, answer = send(client, name, body)
    wanted = json.dumps(CASES[name]["body"])
    for old, new in replaced.items():
        wanted = wanted.replace(old, new)
    assert (status, answer) == (CASES[name]["status"], json.loads(wanted))


def test_refusals_are_worded_as_recorded(double: KubernetesDouble, client: Client) -> None:
    double.load([namespace("aigc-psa", **{"pod-security.kubernetes.io/enforce": "restricted"})])
    check(client, "not-found")
    assert send(client, "create")[0] == 201
    uid = double.get("pods", NAMESPACE, "e1")["metadata"]["uid"]  # type: ignore[index]
    check(client, "already-exists")
    check(client, "invalid")
    stale = {**CASES["conflict-stale-resource-version"]["request"]}
    stale["metadata"] = {**stale["metadata"], "uid": uid}
    check(client, "conflict-stale-resource-version", stale)
    check(client, "precondition-uid-mismatch", **{"790971a5-0208-4bf8-a4a8-e800190a49db": uid})
    wait_until(lambda: (double.get("pods", NAMESPACE, "e1") or {})["spec"].get("nodeName"))
    assert send(client, "delete")[0] == 200
    assert send(client, "quota-create")[0] == 201
    check(client, "quota-exceeded-pod")
    check(client, "quota-exceeded-pvc")
    check(client, "pod-security-violation")
    check(client, "namespace-not-found")
    assert send(client, "server-side-apply-conflict-1")[0] == 201
    check(client, "server-side-apply-conflict-2")


def test_a_field_that_may_not_change_is_named(client: Client, double: KubernetesDouble) -> None:
    assert send(client, "create")[0] == 201
    wait_until(lambda: (double.get("pods", NAMESPACE, "e1") or {})["spec"].get("nodeName"))
    status, answer = send(client, "immutable-field")
    recorded_body = CASES["immutable-field"]["body"]
    assert status == 422
    # The recorded text goes on with a diff of Go's own making.
    assert answer["message"].split("\n")[0] == recorded_body["message"].split("\n")[0]
    assert [cause["reason"] for cause in answer["details"]["causes"]] == ["FieldValueForbidden"]
    assert {**answer, "message": "", "details": ""} == {**recorded_body, "message": "", "details": ""}


def test_an_old_version_ends_a_watch_with_410(double: KubernetesDouble, client: Client) -> None:
    double.compact()
    events = list(client.watch(PODS, resourceVersion="1", timeoutSeconds="2"))
    wanted = CASES["gone-expired-resource-version"]["body"]
    assert len(events) == 1
    events[0]["object"]["message"] = re.sub(r"\(\d+\)", "(1251)", events[0]["object"]["message"])
    assert events[0] == wanted


def test_a_namespace_that_ends_takes_nothing_new(double: KubernetesDouble, client: Client) -> None:
    double.load([namespace("aigc-psa")])
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "holds-on"},
        "spec": {"containers": [container("double/stubborn")]},
    }
    assert client.ask("POST", "/api/v1/namespaces/aigc-psa/pods", pod)[0] == 201
    wait_until(lambda: (double.get("pods", "aigc-psa", "holds-on") or {})["status"]["phase"] == "Running")
    assert client.ask("DELETE", "/api/v1/namespaces/aigc-psa")[0] == 200
    check(client, "namespace-terminating")
    double.delete("pods", "aigc-psa", "holds-on", gracePeriodSeconds=0)
    wait_until(lambda: double.get("namespaces", "", "aigc-psa") is None)


def test_without_a_token_nothing_is_said(double: KubernetesDouble, client: Client) -> None:
    double.expire_token()
    check(client, "unauthorized")


def test_what_no_rule_allows_is_forbidden(connect: Connect) -> None:
    with KubernetesDouble(rbac=[{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]) as double:
        client = connect(double)
        check(client, "forbidden")


def test_what_is_created_is_filled_in_as_recorded(double: KubernetesDouble, client: Client) -> None:
    status, answer = send(client, "create")
    assert status == 201
    assert simplified(answer) == simplified(CASES["create"]["body"])


def simplified(pod: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is drawn anew each time, and the token volume that this server does not mount."""
    metadata = {
        name: value
        for name, value in pod["metadata"].items()
        if name not in ("uid", "resourceVersion", "creationTimestamp", "managedFields")
    }
    spec = {name: value for name, value in pod["spec"].items() if name != "volumes"}
    spec["containers"] = [{name: value for name, value in each.items() if name != "volumeMounts"} for each in spec["containers"]]
    return {**pod, "metadata": metadata, "spec": spec}
