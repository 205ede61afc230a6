"""The files of volumes on Kubernetes: a real file server in a Pod of the double, and every turn that opening it can take."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engines.clusters.base import ClusterError, Files, FilesOpening, Phase, VolumeRef
from engines.clusters.kubernetes.adapter import KubernetesCluster
from engines.clusters.kubernetes.config import KubernetesConfig, read_config
from engines.clusters.kubernetes.files import Decision, Step, decide
from engines.clusters.kubernetes.manifests import files as makers
from engines.files.base import Kind, Piece
from engines.reasons import Reason
from tests.contract.workloads import stop, wait_for, wait_phase
from tests.kubernetes.double import KubernetesDouble
from tests.waiting import DEADLINE_SECONDS

NAMESPACE = "aigc-t-acme"
VOLUME = VolumeRef("v-7f3k2qxbcd", NAMESPACE)
IMAGE = "registry.example.com/portal:1"
CLAIM = {"metadata": {"name": VOLUME.name, "uid": "0b9d1c6e-0000-4000-8000-000000000001"}}
UPLOAD = "0123456789abcdef" * 2


@pytest.fixture
def double() -> Iterator[KubernetesDouble]:
    """Runs the portal's image as real processes."""
    with KubernetesDouble(speed=20, images={r"portal:1$": "double/process", r"missing": "double/no-such"}) as running:
        yield running


@pytest.fixture
def make(make_adapter: Callable[..., KubernetesCluster]) -> Callable[..., KubernetesCluster]:
    def make(**config: Any) -> KubernetesCluster:
        return make_adapter(**({"files_image": IMAGE} | config))

    return make


def opened(cluster: KubernetesCluster, volume: VolumeRef = VOLUME) -> Files:
    """Ask until the room is open, as a page does."""

    def ask() -> Files | None:
        try:
            return cluster.open_files(volume, tenant="acme")
        except FilesOpening:
            return None

    return wait_for(ask)


def put(files: Files, path: str, data: bytes) -> None:
    assert files.write(path, io.BytesIO(data), Piece(UPLOAD, 0, len(data), len(data))) is not None


def paths_called(double: KubernetesDouble, act: Callable[[], object]) -> list[tuple[str, str]]:
    mark = len(double.calls)
    act()
    return [(call.method, call.path) for call in double.calls_since(mark)]


# --- on the double ---


def test_a_room_opens_and_closes_and_keeps_what_is_in_it(make) -> None:
    one, other = make(), make()
    one.ensure_volume(VOLUME, tenant="acme", size_gib=1)
    files = opened(one)
    files.make_folder("models")
    put(files, "models/a.bin", b"123")
    seen = opened(other).list("models").entries
    assert [(entry.name, entry.kind, entry.size_bytes) for entry in seen] == [("a.bin", Kind.FILE, 3)]
    assert b"".join(opened(other).read("models/a.bin").chunks) == b"123"


def test_an_open_room_takes_one_call_and_then_none_for_a_while(double, make) -> None:
    make().ensure_volume(VOLUME, tenant="acme", size_gib=1)
    opened(make())
    fresh = make()
    assert paths_called(double, lambda: fresh.open_files(VOLUME, tenant="acme")) == [
        ("GET", f"/api/v1/namespaces/{NAMESPACE}/pods")
    ]
    assert paths_called(double, lambda: fresh.open_files(VOLUME, tenant="acme").list("")) == []


def test_many_may_open_a_room_at_once(double, make) -> None:
    make().ensure_volume(VOLUME, tenant="acme", size_gib=1)
    failures: list[Exception] = []

    def open_it() -> None:
        try:
            opened(make()).list("")
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_room_that_ended_by_itself_opens_again(make, monkeypatch) -> None:
    monkeypatch.setattr(makers, "IDLE_SECONDS", 0.3)
    cluster = make()
    cluster.ensure_volume(VOLUME, tenant="acme", size_gib=1)
    put(opened(cluster), "a", b"1")

    def pod() -> dict[str, Any]:
        return cluster.rest.find(f"/api/v1/namespaces/{NAMESPACE}/pods/f-7f3k2qxbcd") or {}

    ended = wait_for(lambda: pod().get("status", {}).get("phase") == "Succeeded" and pod())
    monkeypatch.setattr(makers, "IDLE_SECONDS", 600)
    assert [entry.name for entry in opened(make()).list("").entries] == ["a"]
    assert pod()["metadata"]["uid"] != ended["metadata"]["uid"]


def test_while_the_engine_has_the_volume_for_itself_nobody_looks(make, make_spec) -> None:
    cluster, spec = make(), make_spec()
    cluster.ensure_volume(spec.volume_ref, tenant="acme", size_gib=1)
    cluster.apply(spec)
    wait_phase(cluster, spec.ref, Phase.READY)
    with pytest.raises(ClusterError) as refusal:
        cluster.open_files(spec.volume_ref, tenant="acme")
    assert refusal.value.reason == Reason.VOLUME_IN_USE
    stop(cluster, spec.ref)
    assert opened(cluster, spec.volume_ref).list("").complete


def test_an_engine_that_wants_its_volume_gets_it_from_an_open_room(make, make_spec) -> None:
    cluster, spec = make(), make_spec()
    cluster.ensure_volume(spec.volume_ref, tenant="acme", size_gib=1)
    opened(cluster, spec.volume_ref)
    cluster.apply(spec)
    watch = make().watch()
    deadline = time.monotonic() + DEADLINE_SECONDS
    for seen in watch:
        assert time.monotonic() < deadline
        if seen is not None and seen.name == spec.name and seen.phase == Phase.READY:
            break
    watch.close()


def test_beside_an_engine_that_shares_its_volume_both_see_it(make, make_spec) -> None:
    cluster, spec = make(access_mode="ReadWriteOnce"), make_spec()
    cluster.ensure_volume(spec.volume_ref, tenant="acme", size_gib=1)
    cluster.apply(spec)
    wait_phase(cluster, spec.ref, Phase.READY)
    put(opened(cluster, spec.volume_ref), "a", b"1")
    there = [f"/api/v1/namespaces/{NAMESPACE}/pods/{name}" for name in (f"{spec.name}-0", f"f-{spec.volume.removeprefix('v-')}")]
    engine, room = (cluster.rest.get(path)["spec"]["nodeName"] for path in there)
    assert engine == room


def test_a_volume_goes_although_somebody_looked(make) -> None:
    cluster = make()
    cluster.ensure_volume(VOLUME, tenant="acme", size_gib=1)
    opened(cluster)

    def gone() -> bool:
        try:
            cluster.delete_volume(VOLUME)
        except ClusterError as error:
            assert error.reason == Reason.VOLUME_IN_USE  # noqa: PT017 - the room takes a moment to end
        return not cluster.volume_exists(VOLUME)

    wait_for(gone)


def test_what_keeps_a_room_from_opening_is_said(make) -> None:
    with pytest.raises(ClusterError) as missing:
        make().open_files(VOLUME, tenant="acme")
    assert missing.value.reason == Reason.VOLUME_MISSING
    with pytest.raises(ClusterError) as unset:
        make(files_image="").open_files(VOLUME, tenant="acme")
    assert unset.value.reason == Reason.CONFIG_MISSING
    cluster = make(files_image="registry.example.com/missing:1")
    cluster.ensure_volume(VOLUME, tenant="acme", size_gib=1)

    def refused() -> Reason | None:
        try:
            cluster.open_files(VOLUME, tenant="acme")
        except FilesOpening:
            return None
        except ClusterError as error:
            return error.reason
        raise AssertionError

    assert wait_for(refused) == Reason.IMAGE_PULL_FAILED


# --- the makers ---


@pytest.fixture
def config() -> KubernetesConfig:
    return read_config("test", {"files_image": IMAGE, "version": "1.36"})


def test_the_pod_as_a_whole(config: KubernetesConfig) -> None:
    digest = "ab" * 32
    pod = makers.files_pod(config, VOLUME, "acme", CLAIM, token_sha256=digest, node="node-7")
    affinity = pod["spec"].pop("affinity")["nodeAffinity"]
    assert affinity["requiredDuringSchedulingIgnoredDuringExecution"] == {
        "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-7"]}]}]
    }
    assert {toleration["effect"] for toleration in pod["spec"].pop("tolerations")} == {"NoSchedule"}
    owner = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": VOLUME.name, "uid": CLAIM["metadata"]["uid"]}
    assert pod == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "f-7f3k2qxbcd",
            "namespace": NAMESPACE,
            "labels": {
                "app.kubernetes.io/managed-by": "aigc-portal",
                "aigc-portal.io/tenant": "acme",
                "aigc-portal.io/role": "files",
                "aigc-portal.io/volume": VOLUME.name,
            },
            "annotations": {"aigc-portal.io/spec-hash": makers.files_hash(config, digest)},
            "ownerReferences": [owner],
        },
        "spec": {
            "serviceAccountName": "engine",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": 14_400,
            "terminationGracePeriodSeconds": 25,
            "securityContext": {
                "runAsUser": 10001,
                "runAsGroup": 10001,
                "runAsNonRoot": True,
                "fsGroup": 10001,
                "fsGroupChangePolicy": "OnRootMismatch",
                "supplementalGroupsPolicy": "Strict",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": VOLUME.name}}],
            "containers": [
                {
                    "name": "files",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": [
                        "python", "-m", "engines.files.server", "--root", "/data", "--port", "8080", "--token-sha256", digest,
                        "--idle-seconds", "600",
                    ],
                    "env": [{"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}],
                    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                    "resources": {
                        "requests": {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "16Mi"},
                        "limits": {"cpu": "1", "memory": "256Mi", "ephemeral-storage": "64Mi"},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "privileged": False,
                        "readOnlyRootFilesystem": True,
                        "runAsNonRoot": True,
                        "capabilities": {"drop": ["ALL"]},
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                    "readinessProbe": {
                        "httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 2, "failureThreshold": 3,
                    },
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                }
            ],
        },
    }  # fmt: skip


def test_the_service_as_a_whole(config: KubernetesConfig) -> None:
    service = makers.files_service(replace(config, service_port=81), VOLUME, "acme", CLAIM)
    assert service["spec"] == {
        "type": "ClusterIP",
        "selector": {"aigc-portal.io/volume": VOLUME.name, "aigc-portal.io/role": "files"},
        "ports": [{"name": "http", "port": 81, "targetPort": "http", "protocol": "TCP"}],
    }
    assert service["metadata"]["name"] == "f-7f3k2qxbcd"


# --- the decision ---


def room(**status: Any) -> dict[str, Any]:
    about = {"name": "f-7f3k2qxbcd", "uid": "1", "annotations": {"aigc-portal.io/spec-hash": "wanted"}}
    return {"metadata": about | status.pop("metadata", {}), "spec": engine()["spec"], "status": status}


def engine(node: str = "node-1", **status: Any) -> dict[str, Any]:
    spec = {"nodeName": node, "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": VOLUME.name}}]}
    return {"metadata": {"name": "i-x-0"}, "spec": spec, "status": {"phase": "Running"} | status}


NO_IMAGE = {"name": "files", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
READY = [{"type": "Ready", "status": "True"}]
HELD = "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"


@pytest.mark.parametrize(
    ("pods", "mode", "step", "node"),
    [
        ([], "ReadWriteOncePod", Step.MAKE, ""),
        ([engine(phase="Succeeded")], "ReadWriteOncePod", Step.MAKE, ""),
        ([engine()], "ReadWriteOnce", Step.MAKE, "node-1"),
        ([engine()], "ReadWriteMany", Step.MAKE, ""),
        ([room(phase="Pending")], "ReadWriteOncePod", Step.WAIT, ""),
        ([room(phase="Running", conditions=READY)], "ReadWriteOncePod", Step.OPEN, ""),
        ([engine(), room(phase="Running", conditions=READY)], "ReadWriteMany", Step.OPEN, ""),
        ([room(phase="Succeeded")], "ReadWriteOncePod", Step.REPLACE, ""),
        ([room(phase="Failed")], "ReadWriteOncePod", Step.REPLACE, ""),
        ([room(phase="Running", conditions=READY, metadata={"annotations": {}})], "ReadWriteOncePod", Step.REPLACE, ""),
        ([room(phase="Running", conditions=READY, metadata={"deletionTimestamp": "x"})], "ReadWriteOncePod", Step.WAIT, ""),
        ([{}, {"metadata": None, "spec": {"volumes": "odd"}}], "ReadWriteOncePod", Step.MAKE, ""),
    ],
)
def test_what_comes_next(pods: list[dict[str, Any]], mode: str, step: Step, node: str) -> None:
    found = decide(VOLUME, pods, access_mode=mode, wanted="wanted")
    assert (found.step, found.node) == (step, node)
    assert isinstance(found, Decision)


@pytest.mark.parametrize(
    ("pods", "reason"),
    [
        ([engine()], Reason.VOLUME_IN_USE),
        ([engine(), room(phase="Running", conditions=READY)], Reason.VOLUME_IN_USE),
        ([room(conditions=[{"type": "PodScheduled", "status": "False", "message": HELD}])], Reason.VOLUME_IN_USE),
        (
            [room(containerStatuses=[{"name": "files", "state": {"waiting": {"reason": "ImagePullBackOff"}}}])],
            Reason.IMAGE_PULL_FAILED,
        ),
    ],
)
def test_what_will_not_open(pods: list[dict[str, Any]], reason: Reason) -> None:
    with pytest.raises(ClusterError) as refusal:
        decide(VOLUME, pods, access_mode="ReadWriteOncePod", wanted="wanted")
    assert refusal.value.reason == reason


@pytest.mark.parametrize("version", ["1.29", "1.36"])
def test_schemas_accept_the_documents(version: str) -> None:
    import kubernetes_validate  # noqa: PLC0415 - loads slowly

    config = read_config("test", {"files_image": IMAGE, "version": version})
    for document in (
        makers.files_pod(config, VOLUME, "acme", CLAIM, token_sha256="ab" * 32),
        makers.files_service(config, VOLUME, "acme", CLAIM),
    ):
        kubernetes_validate.validate(document, version, strict=True)


def test_the_setting_is_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="files_image"):
        read_config("test", {"files_image": "UPPER CASE"})
