"""Engines as real processes, Services that can be dialled, volumes, and what befalls nodes."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.kubernetes.double import KubernetesDouble, node
from tests.kubernetes.scenes import (
    CLAIMS,
    MERGE,
    NAMESPACE,
    PODS,
    SETS,
    Client,
    claim,
    container,
    engine_state,
    namespace,
    pod_of,
    stateful_set,
    until_ready,
)
from tests.waiting import wait_until

SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services"
# What an engine does: listens where it is told, keeps what it is given, ends in good order.
SERVE = """
import http.server, os, pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
data = pathlib.Path(sys.argv[2])
(data / "seen").write_text(os.environ["GREETING"] + " " + os.environ["AIGC_DATA"])
print("listening", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def engine(name: str, code: str = SERVE, **changes: Any) -> dict[str, Any]:
    """A set whose engine is a process with its data in a claim."""
    shape = {
        "command": ["python", "-c", code, "7860", "/data"], "args": [], "env": [{"name": "GREETING", "value": "hello"}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}], "terminationMessagePolicy": "FallbackToLogsOnError",
    }  # fmt: skip
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "v"}}]
    return stateful_set(name, "double/process", pod={"volumes": volumes}, **{**shape, **changes})


def service(name: str, port: int) -> dict[str, Any]:
    spec = {"selector": {"app.kubernetes.io/instance": name}, "ports": [{"name": "http", "port": port, "targetPort": "http"}]}
    return {"metadata": {"name": name}, "spec": spec}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def data_of(double: KubernetesDouble) -> Path:
    uid = (double.get("persistentvolumeclaims", NAMESPACE, "v") or {})["metadata"]["uid"]
    return double.state / "volumes" / NAMESPACE / f"v-{uid[:8]}"


def test_an_engine_is_a_process_with_its_data_and_its_log(double: KubernetesDouble, client: Client) -> None:
    client.ask("POST", CLAIMS, claim("v"))
    client.ask("POST", SETS, engine("a"))
    until_ready(double, "a")
    directory = data_of(double)
    assert (directory / "seen").read_text() == f"hello {directory}"
    [pid] = double.pids()
    assert psutil.Process(pid).is_running()
    assert client.http.get(f"{PODS}/a-0/log").text.splitlines()[0] == "listening"
    client.patch(f"{SETS}/a/scale", {"spec": {"replicas": 0}}, MERGE)
    wait_until(lambda: not pod_of(double, "a"))
    assert not psutil.pid_exists(pid)
    assert (directory / "seen").exists()


def test_a_service_can_be_dialled_while_its_engine_is_ready(double: KubernetesDouble, client: Client) -> None:
    port = free_port()
    client.ask("POST", CLAIMS, claim("v"))
    _, made = client.ask("POST", SERVICES, service("a", port))
    address = made["spec"]["clusterIP"]
    assert address.startswith("127.")
    url = f"http://{address}:{port}/seen"
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    client.ask("POST", SETS, engine("a"))
    until_ready(double, "a")
    wait_until(lambda: (double.get("endpoints", NAMESPACE, "a") or {}).get("subsets"))
    wait_until(lambda: is_listening(address, port))
    assert httpx.get(url).text == f"hello {data_of(double)}"
    client.patch(f"{SETS}/a/scale", {"spec": {"replicas": 0}}, MERGE)
    wait_until(lambda: not is_listening(address, port))


def is_listening(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def test_logs_are_cut_as_asked(double: KubernetesDouble, client: Client) -> None:
    code = "import sys, time\nfor n in range(5): print('line', n, flush=True)\ntime.sleep(600)"
    client.ask("POST", CLAIMS, claim("v"))
    client.ask("POST", SETS, engine("a", code))
    log = f"{PODS}/a-0/log"
    wait_until(lambda: client.http.get(log).text.endswith("line 4\n"))
    assert client.http.get(log, params={"tailLines": "2"}).text == "line 3\nline 4\n"
    assert client.http.get(log, params={"limitBytes": "9"}).text == "line 0\nli"
    stamped = client.http.get(log, params={"timestamps": "true"}).text.splitlines()
    moment = stamped[3].partition(" ")[0]
    later = client.http.get(log, params={"sinceTime": moment, "timestamps": "true"}).text.splitlines()
    assert later == [line for line in stamped if line.partition(" ")[0] >= moment]
    answer = client.http.get(log, params={"previous": "true"})
    told = 'previous terminated container "engine" in pod "a-0" not found'
    assert (answer.status_code, answer.json()["message"]) == (400, told)


def test_what_an_engine_said_last_is_in_its_status(double: KubernetesDouble, client: Client) -> None:
    client.ask("POST", CLAIMS, claim("v"))
    client.ask("POST", SETS, engine("a", "import sys; sys.exit('CUDA driver not found')"))
    wait_until(lambda: engine_state(double, "a").get("waiting", {}).get("reason") == "CrashLoopBackOff")
    [status] = pod_of(double, "a")["status"]["containerStatuses"]
    ended = status["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (1, "Error", "CUDA driver not found\n")
    assert client.http.get(f"{PODS}/a-0/log", params={"previous": "true"}).text == "CUDA driver not found\n"


def test_an_engine_that_does_not_heed_is_killed(double: KubernetesDouble, client: Client) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    client.ask("POST", CLAIMS, claim("v"))
    document = engine("a", code)
    document["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 1
    client.ask("POST", SETS, document)
    wait_until(lambda: client.http.get(f"{PODS}/a-0/log").text == "deaf\n")
    client.patch(f"{SETS}/a/scale", {"spec": {"replicas": 0}}, MERGE)
    wait_until(lambda: not pod_of(double, "a"))
    assert double.pids() == []


def test_no_process_outlives_the_double(tmp_path: Path) -> None:
    code = "import subprocess, time; subprocess.Popen(['sleep', '600']); print('up', flush=True); time.sleep(600)"
    with KubernetesDouble(speed=20, state=tmp_path) as double:
        double.load([namespace(), {**claim("v"), "metadata": {"name": "v", "namespace": NAMESPACE}}])
        client = Client(double)
        client.ask("POST", SETS, engine("a", code))
        wait_until(lambda: client.http.get(f"{PODS}/a-0/log").text == "up\n")
        family = [psutil.Process(pid) for pid in double.pids()]
        family += family[0].children()
        client.http.close()
    assert len(family) == 2
    wait_until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family))


def test_the_double_by_itself_ends_its_engines_even_when_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.kubernetes.double", "--state", str(tmp_path), "--speed", "20", "--token", "secret"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1].rstrip(",")
        path, headers = f"{url}/api/v1/namespaces/default/pods", {"Authorization": "Bearer secret"}
        sleeper = {"name": "engine", "image": "double/process", "command": ["sleep", "600"]}
        for name in ("p", "q"):
            pod = {"metadata": {"name": name}, "spec": {"terminationGracePeriodSeconds": 600, "containers": [sleeper]}}
            assert httpx.post(path, json=pod, headers=headers).status_code == 201
            wait_until(lambda name=name: httpx.get(f"{path}/{name}", headers=headers).json()["status"]["phase"] == "Running")
        # Heeds SIGTERM, as it must not inherit how the double waits for its own end.
        httpx.delete(f"{path}/q", headers=headers)
        wait_until(lambda: httpx.get(f"{path}/q", headers=headers).status_code == 404)
        [engine_process] = [each for each in psutil.Process(process.pid).children(recursive=True) if each.name() == "sleep"]
        os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not engine_process.is_running() or engine_process.status() == psutil.STATUS_ZOMBIE)


def test_a_lost_node_keeps_its_pod_until_it_is_back(double: KubernetesDouble, client: Client) -> None:
    toleration = {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 2}
    client.ask("POST", SETS, stateful_set("a", pod={"tolerations": [toleration]}))
    until_ready(double, "a")
    uid = pod_of(double, "a")["metadata"]["uid"]
    double.node_down("lab-node")
    conditions = (double.get("nodes", "", "lab-node") or {})["status"]["conditions"]
    assert [(each["type"], each["status"], each["reason"]) for each in conditions] == [("Ready", "Unknown", "NodeStatusUnknown")]
    wait_until(lambda: "deletionTimestamp" in pod_of(double, "a")["metadata"])
    reasons = [each.get("reason") for each in pod_of(double, "a")["status"]["conditions"] if each["type"] == "DisruptionTarget"]
    assert reasons == ["DeletionByTaintManager"]
    assert pod_of(double, "a")["metadata"]["uid"] == uid
    double.node_up("lab-node")
    wait_until(lambda: pod_of(double, "a").get("metadata", {}).get("uid", uid) != uid)
    until_ready(double, "a")


def test_a_machine_that_is_off_gives_its_pod_up_when_somebody_says_so(connect: Any) -> None:
    with KubernetesDouble(speed=20, nodes=[node("one", {"nvidia.com/gpu": 1}), node("two", {"nvidia.com/gpu": 1})]) as double:
        double.load([namespace()])
        connect(double).ask("POST", SETS, stateful_set("a"))
        until_ready(double, "a")
        home = pod_of(double, "a")["spec"]["nodeName"]
        double.node_down(home, kill=True)
        double.delete("pods", NAMESPACE, "a-0")
        assert "deletionTimestamp" in pod_of(double, "a")["metadata"]
        taint = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
        double.merge("nodes", "", home, {"spec": {"taints": [taint]}})
        wait_until(lambda: pod_of(double, "a") and pod_of(double, "a")["spec"].get("nodeName", home) != home)
        until_ready(double, "a")


def test_a_budget_keeps_a_pod_on_its_node(double: KubernetesDouble, client: Client) -> None:
    client.ask("POST", SETS, stateful_set("a"))
    until_ready(double, "a")
    spec = {"maxUnavailable": 0, "selector": {"matchLabels": {"app.kubernetes.io/instance": "a"}}}
    double.load(
        [
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": {"name": "b", "namespace": NAMESPACE},
                "spec": spec,
            }
        ]
    )
    status, refusal = client.ask("POST", f"{PODS}/a-0/eviction", {"metadata": {"name": "a-0"}})
    assert (status, refusal["message"]) == (429, "Cannot evict pod as it would violate the pod's disruption budget.")
    assert double.drain("lab-node", heed_budgets=True) == ["a-0"]
    assert "deletionTimestamp" not in pod_of(double, "a")["metadata"]


def test_pods_prefer_nodes_and_wait_for_what_is_taken(connect: Any) -> None:
    machines = [
        node("cloud-1", {"nvidia.com/gpu": 1}, {"pool": "cloud"}),
        node("onprem-1", {"nvidia.com/gpu": 1}, {"pool": "onprem"}),
    ]
    terms = [{"weight": 100, "preference": {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["onprem"]}]}}]
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": terms}}
    with KubernetesDouble(speed=20, nodes=machines) as double:
        double.load([namespace()])
        client = connect(double)
        for name, home in (("a", "onprem-1"), ("b", "cloud-1")):
            client.ask("POST", SETS, stateful_set(name, pod={"affinity": affinity}))
            until_ready(double, name)
            assert pod_of(double, name)["spec"]["nodeName"] == home
        client.ask("POST", SETS, stateful_set("c", pod={"affinity": affinity}))
        wait_until(lambda: pod_of(double, "c").get("status", {}).get("conditions"))
        assert pod_of(double, "c")["status"]["conditions"][0]["message"] == (
            "0/2 nodes are available: 2 Insufficient nvidia.com/gpu. no new claims to deallocate, "
            "preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."
        )
        client.patch(f"{SETS}/a/scale", {"spec": {"replicas": 0}}, MERGE)
        until_ready(double, "c")


def test_two_pods_do_not_share_what_is_for_one(double: KubernetesDouble, client: Client) -> None:
    client.ask("POST", CLAIMS, claim("v"))
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "v"}}]
    client.ask("POST", SETS, stateful_set("a", pod={"volumes": volumes}))
    until_ready(double, "a")
    client.ask("POST", SETS, stateful_set("b", pod={"volumes": volumes}))
    wait_until(lambda: pod_of(double, "b").get("status", {}).get("conditions"))
    assert (
        "ReadWriteOncePod access mode already in-use by another pod" in pod_of(double, "b")["status"]["conditions"][0]["message"]
    )
    client.patch(f"{SETS}/a/scale", {"spec": {"replicas": 0}}, MERGE)
    until_ready(double, "b")


def test_images_are_told_apart(connect: Any) -> None:
    with KubernetesDouble(speed=20, images={"comfyui": "double/sleep", "broken": "double/bad-command"}) as double:
        double.load([namespace()])
        client = connect(double)
        client.ask("POST", SETS, stateful_set("a", "registry.example.com/aigc/comfyui:1"))
        until_ready(double, "a")
        client.ask("POST", SETS, stateful_set("b", "registry.example.com/aigc/broken@sha256:00"))
        wait_until(lambda: engine_state(double, "b").get("waiting", {}).get("reason") == "CrashLoopBackOff")
        assert pod_of(double, "b")["status"]["containerStatuses"][0]["lastState"]["terminated"]["reason"] == "StartError"
        pod = {"metadata": {"name": "c"}, "spec": {"containers": [container("Registry/Bad_NAME:1")]}}
        client.ask("POST", PODS, pod)
        wait_until(lambda: waiting_reason(double, "c") == "InvalidImageName")


def waiting_reason(double: KubernetesDouble, name: str) -> str:
    statuses = (double.get("pods", NAMESPACE, name) or {})["status"].get("containerStatuses") or [{"state": {}}]
    return str(statuses[0]["state"].get("waiting", {}).get("reason", ""))
