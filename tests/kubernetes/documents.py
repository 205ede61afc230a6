"""Nodes, Pods, slices and claims with what a real API server sends of them, and the least that a test has to say."""

from typing import Any

NVIDIA_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
NVIDIA_TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def node(name: str = "gpu-1", *, labels: dict[str, str] | None = None, ready: str = "True", **given: Any) -> dict[str, Any]:
    """A node of 32 cores and 128 GiB; `allocatable` adds resources, `taints`, `annotations` and `cordoned` are as they say."""
    resources = {"cpu": "31850m", "memory": "129024Mi", "pods": "110", "ephemeral-storage": "420Gi", "hugepages-2Mi": "0"}
    spec: dict[str, Any] = {"podCIDR": "10.42.1.0/24", "providerID": f"metal://{name}"}
    if given.get("taints"):
        spec["taints"] = given["taints"]
    if given.get("cordoned"):
        spec["unschedulable"] = True
        spec["taints"] = [*spec.get("taints", []), {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", **(labels or {})},
            "annotations": given.get("annotations", {}),
        },
        "spec": spec,
        "status": {
            "capacity": {**resources, "cpu": "32", "memory": "131072Mi", **given.get("allocatable", {})},
            "allocatable": {**resources, **given.get("allocatable", {})},
            "conditions": [
                {"type": "MemoryPressure", "status": "False", "reason": "KubeletHasSufficientMemory"},
                {"type": "Ready", "status": ready, "reason": "KubeletReady"},
            ],
            "nodeInfo": {"kubeletVersion": "v1.36.2", "operatingSystem": "linux"},
        },
    }


def nvidia_node(name: str = "gpu-1", product: str = "NVIDIA-GeForce-RTX-4090", gpus: int = 4, **given: Any) -> dict[str, Any]:
    """A node of whole cards, as NVIDIA's device plugin and GPU feature discovery describe it."""
    labels = {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": product,
        "nvidia.com/gpu.count": str(gpus),
        "nvidia.com/gpu.memory": "24564",
        "nvidia.com/gpu.family": "ada-lovelace",
        "nvidia.com/gpu.replicas": "1",
        "nvidia.com/gpu.sharing-strategy": "none",
        "nvidia.com/mig.strategy": "none",
    } | given.pop("labels", {})
    resources = {"nvidia.com/gpu": str(gpus)} | given.pop("allocatable", {})
    return node(name, labels=labels, allocatable=resources, taints=given.pop("taints", [NVIDIA_TAINT]), **given)


def pod(
    name: str, on: str = "gpu-1", *, phase: str = "Running", labels: dict[str, str] | None = None, **given: Any
) -> dict[str, Any]:
    """A Pod of one container with `limits` and `requests`; `spec` replaces parts of its spec."""
    resources = {key: given[key] for key in ("limits", "requests") if key in given}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "research", "labels": labels or {}, "annotations": given.get("annotations", {})},
        "spec": {"nodeName": on, "containers": [{"name": "main", "resources": resources}], **given.get("spec", {})},
        "status": {"phase": phase},
    }


def our_pod(name: str, gpu_class: str = "", on: str = "gpu-1", **given: Any) -> dict[str, Any]:
    """An engine's Pod."""
    labels = {"app.kubernetes.io/managed-by": "aigc-portal"} | ({"aigc-portal.io/gpu-class": gpu_class} if gpu_class else {})
    return pod(name, on, labels=labels, **given)


def dra_slice(on: str = "gpu-1", *devices: dict[str, Any], generation: int = 1, driver: str = "gpu.nvidia.com") -> dict[str, Any]:
    """What a driver publishes of one node."""
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": f"{on}-{driver}-{generation}"},
        "spec": {
            "driver": driver,
            "nodeName": on,
            "pool": {"name": on, "generation": generation, "resourceSliceCount": 1},
            "devices": list(devices),
        },
    }


def dra_device(name: str, product: str = "NVIDIA GeForce RTX 4090", memory: str = "24564Mi", **more: Any) -> dict[str, Any]:
    """A card as NVIDIA's DRA driver describes it."""
    return {
        "name": name,
        "attributes": {
            "type": {"string": "gpu"},
            "productName": {"string": product},
            "architecture": {"string": "Ada Lovelace"},
            "cudaComputeCapability": {"version": "8.9.0"},
            "index": {"int": int(name[-1])},
        },
        "capacity": {"memory": {"value": memory}},
        **more,
    }


def dra_claim(device: str, pool: str = "gpu-1", *, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """A claim that has a device."""
    result = {"request": "gpu", "driver": "gpu.nvidia.com", "pool": pool, "device": device}
    return {
        "metadata": {"name": f"claim-{device}", "namespace": "research", "labels": labels or {}},
        "status": {"allocation": {"devices": {"results": [result]}}},
    }
