"""What tests of the double share: a client, manifests of the recorded scenarios, and the recordings."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.kubernetes.double import KubernetesDouble
from tests.waiting import wait_until

RECORDINGS = Path(__file__).parent / "recordings"
NAMESPACE = "aigc-acme"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets"
CLAIMS = f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims"


class Client:
    """Plain HTTP to a double, as the portal's user."""

    def __init__(self, double: KubernetesDouble, *, admin: bool = False) -> None:
        token = double.admin_token if admin else double.token
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "python-requests/2.32"}
        self.http = httpx.Client(base_url=double.url, headers=headers, timeout=20)

    def ask(self, method: str, path: str, body: Any = None, *, kind: str = "application/json", **query: str) -> tuple[int, Any]:
        """Send one request; gives the status and the answer's document."""
        content = None if body is None else json.dumps(body)
        answer = self.http.request(method, path, params=query, content=content, headers={"Content-Type": kind})
        return answer.status_code, answer.json()

    def patch(self, path: str, body: Any, kind: str, **query: str) -> tuple[int, Any]:
        return self.ask("PATCH", path, body, kind=kind, **query)

    def watch(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Give the events of a watch until it ends."""
        with self.http.stream("GET", path, params={"watch": "true", **query}) as answer:
            for line in answer.iter_lines():
                yield json.loads(line)


Connect = Callable[..., Client]


def recorded(name: str) -> list[dict[str, Any]]:
    """Read a recording."""
    return [json.loads(line) for line in (RECORDINGS / f"{name}.jsonl").read_text().splitlines()]


def container(image: str = "double/sleep", **changes: Any) -> dict[str, Any]:
    """The engine of the recordings."""
    shape: dict[str, Any] = {
        "name": "engine", "image": image, "imagePullPolicy": "IfNotPresent", "args": ["-m", "http.server", "7860"],
        "ports": [{"containerPort": 7860, "name": "http"}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
        "startupProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1, "failureThreshold": 20},
        "resources": {"limits": {"nvidia.com/gpu": "1", "cpu": "500m", "memory": "256Mi"}},
    }  # fmt: skip
    return shape | changes


def stateful_set(name: str, image: str = "double/sleep", *, pod: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A set of the recordings: one engine, five seconds to end."""
    labels = {"app.kubernetes.io/instance": name}
    spec = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 5,
        "containers": [container(image, **changes)],
    }
    template = {"metadata": {"labels": labels}, "spec": spec | (pod or {})}
    shape = {"replicas": 1, "serviceName": name, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name, "labels": labels}, "spec": shape}


def claim(name: str, **changes: Any) -> dict[str, Any]:
    shape = {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": shape | changes}


def namespace(name: str = NAMESPACE, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def pod_of(double: KubernetesDouble, name: str) -> dict[str, Any]:
    """The Pod of a set, an empty document if there is none."""
    return double.get("pods", NAMESPACE, f"{name}-0") or {}


def is_ready(double: KubernetesDouble, name: str) -> bool:
    conditions = pod_of(double, name).get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def engine_state(double: KubernetesDouble, name: str) -> dict[str, Any]:
    """The state of the engine's container, empty while it has none."""
    statuses = pod_of(double, name).get("status", {}).get("containerStatuses") or [{}]
    return dict(statuses[0].get("state", {}))


def waits_for(double: KubernetesDouble, name: str, reason: str) -> Callable[[], bool]:
    return lambda: engine_state(double, name).get("waiting", {}).get("reason") == reason


def until_ready(double: KubernetesDouble, name: str) -> None:
    wait_until(lambda: is_ready(double, name))
