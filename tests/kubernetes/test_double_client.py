"""The official client talks to the double as to a cluster, and so does a crowd of simulated instances."""

import json
from collections.abc import Iterator
from pathlib import Path

import kubernetes
import pytest
from kubernetes.client.exceptions import ApiException

from tests.kubernetes.double import KubernetesDouble
from tests.kubernetes.scenes import NAMESPACE, SETS, Client, Connect, pod_of, stateful_set, until_ready
from tests.waiting import wait_until


@pytest.fixture
def api(double: KubernetesDouble, tmp_path: Path) -> Iterator[kubernetes.client.ApiClient]:
    """Configured by the file that the double writes."""
    with kubernetes.config.new_client_from_config(str(double.kubeconfig(tmp_path / "kubeconfig"))) as api:
        yield api


def test_the_official_client_lists_watches_and_patches(double: KubernetesDouble, api: kubernetes.client.ApiClient) -> None:
    core, apps = kubernetes.client.CoreV1Api(api), kubernetes.client.AppsV1Api(api)
    assert kubernetes.client.VersionApi(api).get_code().git_version == "v1.36.2"
    apps.create_namespaced_stateful_set(NAMESPACE, stateful_set("a"))
    phases = []
    watch = kubernetes.watch.Watch()
    for event in watch.stream(core.list_namespaced_pod, NAMESPACE, timeout_seconds=10):
        phases.append(event["object"].status.phase)
        if any(each.type == "Ready" and each.status == "True" for each in event["object"].status.conditions or []):
            watch.stop()
    assert list(dict.fromkeys(phases)) == ["Pending", "Running"]
    [pod] = core.list_pod_for_all_namespaces(label_selector="app.kubernetes.io/instance=a").items
    assert pod.status.container_statuses[0].state.running is not None
    apps.patch_namespaced_stateful_set_scale("a", NAMESPACE, {"spec": {"replicas": 0}})
    wait_until(lambda: not pod_of(double, "a"))
    with pytest.raises(ApiException) as caught:
        core.read_namespaced_pod("a-0", NAMESPACE)
    assert (caught.value.status, json.loads(caught.value.body)["reason"]) == (404, "NotFound")


def test_the_official_client_takes_raw_paths(double: KubernetesDouble, api: kubernetes.client.ApiClient) -> None:
    headers = {"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"}
    query = [("fieldManager", "aigc-portal")]
    answer = api.call_api(
        f"{SETS}/a", "PATCH", query_params=query, header_params=headers, body=stateful_set("a"), auth_settings=["BearerToken"],
        response_types_map={200: "object", 201: "object"}, _return_http_data_only=True,
    )  # fmt: skip
    assert answer["metadata"]["managedFields"][0]["manager"] == "aigc-portal"


def test_discovery_names_every_kind(client: Client) -> None:
    groups = [each["name"] for each in client.ask("GET", "/apis")[1]["groups"]]
    assert {"apps", "networking.k8s.io", "policy", "resource.k8s.io", "game.kruise.io"} <= set(groups)
    _, found = client.ask("GET", "/apis/apps/v1")
    assert [each["name"] for each in found["resources"]] == ["statefulsets", "statefulsets/status", "statefulsets/scale"]


def test_a_crowd_is_put_in_and_changes(double: KubernetesDouble, connect: Connect) -> None:
    double.populate(pods=200, namespaces=10)
    client = connect(double)
    _, pods = client.ask("GET", "/api/v1/pods", labelSelector="app.kubernetes.io/managed-by=aigc-portal")
    assert len(pods["items"]) == len(double.objects("statefulsets")) == len(double.objects("persistentvolumeclaims")) == 200
    sizes = [len(json.dumps(pod, separators=(",", ":"))) for pod in pods["items"]]
    assert 8_000 <= min(sizes) <= max(sizes) <= 10_240
    churn = double.churn(per_second=500)
    events = client.watch("/api/v1/pods", resourceVersion=pods["metadata"]["resourceVersion"], timeoutSeconds="1")
    assert {event["type"] for event in events} == {"MODIFIED"}
    assert double.stop_churn(churn) > 200


def test_instances_beside_a_crowd_live_as_ever(double: KubernetesDouble, connect: Connect) -> None:
    double.populate(pods=200, namespaces=10)
    client = connect(double)
    client.ask("POST", SETS, stateful_set("a"))
    until_ready(double, "a")
