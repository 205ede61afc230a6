"""Who may do what, what a namespace allows, and trouble on request."""

from typing import Any

import httpx
import pytest

from tests.kubernetes.double import KubernetesDouble
from tests.kubernetes.scenes import (
    MERGE,
    NAMESPACE,
    PODS,
    SETS,
    Client,
    Connect,
    claim,
    container,
    namespace,
    stateful_set,
    until_ready,
)
from tests.waiting import wait_until

READ_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
LOCKED = {
    "allowPrivilegeEscalation": False, "runAsNonRoot": True, "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "method", "path", "status"),
    [
        (READ_PODS, "GET", PODS, 200),
        (READ_PODS, "GET", "/api/v1/pods", 200),
        (READ_PODS, "DELETE", f"{PODS}/x", 403),
        (READ_PODS, "GET", f"{PODS}/x/log", 403),
        ({**READ_PODS, "resources": ["pods/log"]}, "GET", f"{PODS}/x/log", 404),
        ({**READ_PODS, "resourceNames": ["x"]}, "GET", f"{PODS}/x", 404),
        ({**READ_PODS, "resourceNames": ["x"]}, "GET", f"{PODS}/y", 403),
        ({**READ_PODS, "resourceNames": ["x"]}, "GET", PODS, 403),
        ({"apiGroups": [""], "resources": ["statefulsets"], "verbs": ["list"]}, "GET", SETS, 403),
        ({"apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": ["list"]}, "GET", SETS, 200),
    ],
)
def test_rules_are_kept_to(rule: dict[str, Any], method: str, path: str, status: int, connect: Connect) -> None:
    with KubernetesDouble(rbac=[rule]) as double:
        double.load([namespace()])
        client = connect(double)
        assert client.ask(method, path)[0] == status


def test_a_refusal_names_what_is_missing(connect: Connect) -> None:
    with KubernetesDouble(rbac=[]) as double:
        client = connect(double)
        _, refusal = client.patch(f"{SETS}/a/scale", {}, MERGE)
        assert refusal["message"] == (
            'statefulsets.apps "a" is forbidden: User "portal" cannot patch resource "statefulsets/scale" in API group "apps" '
            'in the namespace "aigc-acme"'
        )


def test_stored_roles_count_where_they_are_bound(connect: Connect) -> None:
    user = "system:serviceaccount:aigc-system:portal"
    group = {"apiVersion": "rbac.authorization.k8s.io/v1"}
    subject = {"kind": "ServiceAccount", "namespace": "aigc-system", "name": "portal"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "tenant"}
    with KubernetesDouble(bindings=True, user=user) as double:
        role = {**group, "kind": "ClusterRole", "metadata": {"name": "tenant"}, "rules": [READ_PODS]}
        binding = {
            **group,
            "kind": "RoleBinding",
            "metadata": {"name": "portal", "namespace": NAMESPACE},
            "subjects": [subject],
            "roleRef": reference,
        }
        double.load([namespace(), namespace("other"), role, binding])
        client = connect(double)
        assert [client.ask("GET", path)[0] for path in (PODS, PODS.replace(NAMESPACE, "other"), "/api/v1/pods")] == [
            200,
            403,
            403,
        ]
        assert [may_list_pods(client, where) for where in (NAMESPACE, "other")] == [True, False]


def may_list_pods(client: Client, where: str) -> bool:
    """Ask for a review, which everybody may: the role system:basic-user says so."""
    spec = {"resourceAttributes": {"verb": "list", "resource": "pods", "namespace": where}}
    status, review = client.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {"spec": spec})
    assert status == 201
    return bool(review["status"]["allowed"])


def test_a_rotated_token_ends_the_old_one(double: KubernetesDouble, connect: Connect) -> None:
    old = connect(double)
    double.rotate_token()
    assert [old.ask("GET", PODS)[0], connect(double).ask("GET", PODS)[0]] == [401, 200]


def test_what_pod_security_allows(double: KubernetesDouble, client: Client) -> None:
    double.load([namespace("safe", **{"pod-security.kubernetes.io/enforce": "restricted"})])
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [container(securityContext=LOCKED)]}}
    assert client.ask("POST", "/api/v1/namespaces/safe/pods", pod)[0] == 201
    root = {**LOCKED, "runAsUser": 0, "runAsNonRoot": False}
    pod = {"metadata": {"name": "q"}, "spec": {"hostNetwork": True, "containers": [container(securityContext=root)]}}
    status, refusal = client.ask("POST", "/api/v1/namespaces/safe/pods", pod)
    assert status == 403
    assert refusal["message"].split('latest": ')[1] == (
        "host namespaces (hostNetwork=true), "
        'runAsNonRoot != true (pod or container "engine" must set securityContext.runAsNonRoot=true), '
        'runAsUser=0 (container "engine" must not set runAsUser=0)'
    )
    pod = {"metadata": {"name": "q"}, "spec": {"hostUsers": False, "containers": [container(securityContext=root)]}}
    assert client.ask("POST", "/api/v1/namespaces/safe/pods", pod)[0] == 201


def test_limits_are_filled_in_and_kept_to(double: KubernetesDouble, client: Client) -> None:
    limits = {"type": "Container", "default": {"cpu": "2"}, "defaultRequest": {"cpu": "500m"}, "max": {"memory": "96Gi"}}
    double.load(
        [
            {
                "apiVersion": "v1",
                "kind": "LimitRange",
                "metadata": {"name": "l", "namespace": NAMESPACE},
                "spec": {"limits": [limits]},
            }
        ]
    )
    modest = container(resources={"limits": {"memory": "1Gi"}})
    _, pod = client.ask("POST", PODS, {"metadata": {"name": "p"}, "spec": {"containers": [modest]}})
    assert pod["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"},
    }  # fmt: skip
    greedy = container(resources={"limits": {"memory": "400Gi"}})
    status, refusal = client.ask("POST", PODS, {"metadata": {"name": "q"}, "spec": {"containers": [greedy]}})
    assert (status, refusal["message"]) == (
        403, 'pods "q" is forbidden: maximum memory usage per Container is 96Gi, but limit is 400Gi',
    )  # fmt: skip


def test_a_quota_counts_and_is_told(double: KubernetesDouble, client: Client) -> None:
    hard = {"pods": "2", "requests.storage": "5Gi", "count/statefulsets.apps": "1", "limits.memory": "1Gi"}
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "tenant", "namespace": NAMESPACE},
        "spec": {"hard": hard},
    }
    double.load([quota])
    assert client.ask("POST", SETS, stateful_set("a"))[0] == 201
    status, refusal = client.ask("POST", SETS, stateful_set("b"))
    told = "requested: count/statefulsets.apps=1, used: count/statefulsets.apps=1, limited: count/statefulsets.apps=1"
    assert (status, refusal["message"]) == (403, f'statefulsets.apps "b" is forbidden: exceeded quota: tenant, {told}')
    storage = claim("v", resources={"requests": {"storage": "6Gi"}})
    _, refusal = client.ask("POST", PODS.replace("pods", "persistentvolumeclaims"), storage)
    assert refusal["message"].endswith("requested: requests.storage=6Gi, used: requests.storage=0, limited: requests.storage=5Gi")
    bare = container(resources={})
    _, refusal = client.ask("POST", PODS, {"metadata": {"name": "p"}, "spec": {"containers": [bare]}})
    assert refusal["message"] == 'pods "p" is forbidden: failed quota: tenant: must specify limits.memory for: engine'
    until_ready(double, "a")
    used = {"pods": "1", "requests.storage": "0", "count/statefulsets.apps": "1", "limits.memory": "256Mi"}
    wait_until(lambda: (double.get("resourcequotas", NAMESPACE, "tenant") or {})["status"].get("used") == used)


def test_a_pod_needs_its_account_and_its_priority(client: Client) -> None:
    for name, spec, why in (
        (
            "a",
            {"serviceAccountName": "engine"},
            'error looking up service account aigc-acme/engine: serviceaccount "engine" not found',
        ),
        ("b", {"priorityClassName": "high"}, "no PriorityClass with name high was found"),
    ):
        status, refusal = client.ask("POST", PODS, {"metadata": {"name": name}, "spec": {**spec, "containers": [container()]}})
        assert (status, refusal["message"]) == (403, f'pods "{name}" is forbidden: {why}')


# trouble


@pytest.mark.parametrize(
    ("status", "reason"),
    [(409, "Conflict"), (429, "TooManyRequests"), (500, "InternalError"), (503, "ServiceUnavailable"), (504, "Timeout")],
)
def test_a_fault_is_told_as_a_server_tells_it(double: KubernetesDouble, client: Client, status: int, reason: str) -> None:
    double.faults.add(verb="list", path="pods$", status=status, times=1)
    first, refusal = client.ask("GET", PODS)
    assert (first, refusal["reason"], client.ask("GET", PODS)[0]) == (status, reason, 200)


def test_a_fault_says_when_to_come_again(double: KubernetesDouble, client: Client) -> None:
    double.faults.add(verb="list", status=429, retry_after=3, times=1)
    answer = client.http.get(PODS)
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()["details"]) == (429, "3", {"retryAfterSeconds": 3})


def test_a_call_is_cut_before_or_after_it_took_effect(double: KubernetesDouble, client: Client) -> None:
    document: dict[str, Any] = {"metadata": {"name": "a"}}
    maps = PODS.replace("pods", "configmaps")
    double.faults.add(verb="create", drop=True, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        client.ask("POST", maps, document)
    assert double.get("configmaps", NAMESPACE, "a") is None
    double.faults.add(verb="create", drop=True, after=True, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        client.ask("POST", maps, document)
    assert double.get("configmaps", NAMESPACE, "a") is not None


def test_chance_can_be_repeated(double: KubernetesDouble, client: Client) -> None:
    runs = []
    for _ in range(2):
        double.faults.clear()
        double.faults.add(status=503, probability=0.5, seed=7)
        runs.append([client.ask("GET", PODS)[0] for _ in range(20)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 503}


def test_calls_are_counted(double: KubernetesDouble, client: Client, connect: Connect) -> None:
    mark = len(double.calls)
    client.ask("GET", PODS, limit="5")
    client.ask("GET", f"{PODS}/nope")
    connect(double, admin=True).ask("GET", PODS)
    calls = double.calls_since(mark)
    assert [(call.method, call.verb, call.path, dict(call.query), call.status) for call in calls] == [
        ("GET", "list", PODS, {"limit": "5"}, 200), ("GET", "get", f"{PODS}/nope", {}, 404),
    ]  # fmt: skip
