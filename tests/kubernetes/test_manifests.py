"""What the makers write, as whole documents that a person can read, and legal for the oldest and newest Kubernetes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from engines.clusters.base import GpuSpec, Mount, SecretKey, SharedMount, VolumeRef, WorkloadSpec
from engines.clusters.kubernetes import manifests
from engines.clusters.kubernetes.config import read_config

EXPECTED = Path(__file__).parent / "documents_expected"
NEWEST = "1.36"
NAMESPACE = "aigc-t-acme"
VOLUME = VolumeRef("v-7f3k2qxbcd", NAMESPACE)
CPU = GpuSpec("cpu", vendor="cpu", count=0, cpu_millis=2000, ram_mib=4096)
WHOLE = GpuSpec(
    "rtx-4090",
    vendor="nvidia",
    resource="nvidia.com/gpu",
    count=1,
    cpu_millis=8000,
    ram_mib=32768,
    node_selector={"nvidia.com/gpu.product": "NVIDIA-GeForce-RTX-4090"},
    tolerations=({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},),
)
HAMI_ECI = GpuSpec(
    "half-a10",
    vendor="nvidia",
    resource="nvidia.com/gpu",
    count=1,
    sharing="hami",
    extra_limits={"nvidia.com/gpumem": "12000"},
    scheduler_name="hami-scheduler",
    runtime_class_name="nvidia",
    pod_labels={"alibabacloud.com/eci": "true"},
    pod_annotations={"k8s.aliyun.com/eci-use-specs": "ecs.gn7i-c8g1.2xlarge"},
)
DRA = GpuSpec(
    "any-24g",
    vendor="nvidia",
    dra={"first_available": [{"name": "l4", "device_class": "gpu.nvidia.com", "count": 2, "cel": ["device.driver == 'x'"]}]},
)
OVERLAID = replace(WHOLE, pod_patch={"metadata": {"labels": {"team": "a"}}, "spec": {"priorityClassName": "from-class"}})
SPEC = WorkloadSpec(
    name="i-7f3k2qxbcd",
    namespace=NAMESPACE,
    instance_id="00000000-0000-4000-8000-000000000001",
    tenant="acme",
    epoch=3,
    volume="v-7f3k2qxbcd",
    engine="comfyui",
    image="registry.example.com/comfyui:1",
    args=("--port", "{port}", "--base-directory", "{data}"),
    port=8188,
    health_path="/system_stats",
    data_mounts=(Mount("/data"),),
    shm_mib=2048,
    startup_limit_seconds=301,
    gpu=WHOLE,
)
FULL = replace(
    SPEC,
    environment={"B": "2", "A": "{data}"},
    secret_environment={"HF_TOKEN": SecretKey("hf", "token")},
    shared_mounts=(SharedMount("models", "/models"),),
    gpu=OVERLAID,
    pod_patch={
        "spec": {"priorityClassName": "from-version", "containers": [{"name": "engine", "env": [{"name": "C", "value": "3"}]}]}
    },
)
CONFIGURED = {
    "quota": {"requests.nvidia.com/gpu": "2"},
    "limits": {"Container": {"max": {"memory": "96Gi"}}},
    "gateway_cidrs": ["192.0.2.0/24"],
    "pod_cidrs": ["203.0.113.0/24"],
    "dns_addresses": ["169.254.20.10", "fd00::10"],
    "image_pull_secrets": ["registry"],
    "version": NEWEST,
}
VERSION = {"version": NEWEST}

CASES: dict[str, tuple[dict[str, Any], Callable[[Any], list[dict[str, Any]]]]] = {
    "tenant": ({}, lambda config: manifests.tenant_objects(config, "acme", NAMESPACE)),
    "tenant-configured": (CONFIGURED, lambda config: manifests.tenant_objects(config, "acme", NAMESPACE)),
    "claim": ({"storage_class": "fast"}, lambda config: [manifests.claim(config, VOLUME, "acme", 50)]),
    "service": ({}, lambda config: [manifests.service(config, SPEC)]),
    "whole-gpu-1.29": ({}, lambda config: stateful(config, SPEC)),
    "whole-gpu": (VERSION, lambda config: stateful(config, SPEC)),
    "cpu": (VERSION, lambda config: stateful(config, replace(SPEC, gpu=CPU))),
    "root": (VERSION, lambda config: stateful(config, replace(SPEC, run_as="root"))),
    "hami-eci": (VERSION, lambda config: stateful(config, replace(SPEC, gpu=HAMI_ECI))),
    "dra": (VERSION, lambda config: [manifests.claim_template(with_dra()), *stateful(config, with_dra())]),
    "secrets-shares-overlays": (VERSION, lambda config: stateful(config, FULL)),
    "pool": (VERSION | {"pools": {"cloud": {"zone": "a"}}}, lambda config: stateful(config, replace(SPEC, pool="cloud"))),
}  # fmt: skip


def with_dra() -> WorkloadSpec:
    return replace(SPEC, gpu=DRA)


def stateful(config: Any, spec: WorkloadSpec) -> list[dict[str, Any]]:
    return [manifests.statefulset(config, spec, replicas=1, epoch=3, stopped=2)]


def made(case: str, **more: Any) -> list[dict[str, Any]]:
    settings, make = CASES[case]
    return make(read_config("test", settings | more))


@pytest.mark.parametrize("case", CASES)
def test_documents_are_as_written_down(case: str) -> None:
    assert made(case) == list(yaml.safe_load_all((EXPECTED / f"{case}.yaml").read_text()))


def test_every_document_that_is_written_down_is_made() -> None:
    assert {path.stem for path in EXPECTED.iterdir()} == set(CASES)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("version", ["1.29", NEWEST])
def test_documents_are_legal(case: str, version: str) -> None:
    if (case, version) == ("dra", "1.29"):
        pytest.skip("resource.k8s.io/v1 came with 1.34")
    for document in made(case, version=version):
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize(("version", "sleeps"), [("1.29", False), ("1.30", True), ("1.36", True)])
def test_the_sleep_before_the_end_is_written_where_it_is_known(version: str, sleeps: bool) -> None:
    engine = made("cpu", version=version)[0]["spec"]["template"]["spec"]["containers"][0]
    assert ("lifecycle" in engine) is sleeps


def test_the_gpu_class_is_on_the_pod_and_not_in_the_selector() -> None:
    spec = made("whole-gpu")[0]["spec"]
    assert spec["template"]["metadata"]["labels"]["aigc-portal.io/gpu-class"] == "rtx-4090"
    assert spec["selector"] == {"matchLabels": {"aigc-portal.io/workload": SPEC.name}}


def test_name_servers_elsewhere_are_reached_on_their_port_alone() -> None:
    [egress] = [each["spec"]["egress"] for each in made("tenant-configured") if each["metadata"]["name"] == "engine-egress"]
    ports = [rule["ports"] for rule in egress if {"ipBlock": {"cidr": "169.254.20.10/32"}} in rule["to"]]
    assert ports == [[{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]]
    assert "169.254.0.0/16" in next(
        each["ipBlock"]["except"] for each in egress[1]["to"] if each["ipBlock"]["cidr"] == "0.0.0.0/0"
    )


def test_the_hash_follows_the_template_alone() -> None:
    config = read_config("test", {})
    paused = manifests.statefulset(config, SPEC, replicas=0, epoch=9, stopped=9)
    changed = manifests.statefulset(config, replace(SPEC, shm_mib=1), replicas=0, epoch=9, stopped=9)
    assert manifests.spec_hash(paused) == manifests.spec_hash(stateful(config, SPEC)[0]) != manifests.spec_hash(changed)
