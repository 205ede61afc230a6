"""Which nodes a workload may land on. Pure."""

from typing import Any

from engines.clusters.base import GpuSpec, WorkloadSpec
from engines.clusters.kubernetes.cards import SHARED_BY, SHARING_STRATEGY, promises_whole_cards
from engines.clusters.kubernetes.config import KubernetesConfig
from engines.clusters.kubernetes.labels import POOL

GPU_PRESENT = "nvidia.com/gpu.present"
_NODE_LOST_SECONDS = 120
_NODE_LOST = (
    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _NODE_LOST_SECONDS},
    {
        "key": "node.kubernetes.io/unreachable",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": _NODE_LOST_SECONDS,
    },
)


def wants_gpu(gpu: GpuSpec) -> bool:
    """Tell whether the class stands for a device, by whichever way it is asked for."""
    return gpu.vendor != "cpu"


def placement(config: KubernetesConfig, spec: WorkloadSpec) -> dict[str, Any]:
    """Return the fields of a Pod that choose its node and its scheduler."""
    gpu = spec.gpu
    fields: dict[str, Any] = {"tolerations": [*map(dict, gpu.tolerations), *map(dict, _NODE_LOST)]}
    if gpu.node_selector:
        fields["nodeSelector"] = dict(gpu.node_selector)
    if affinity := _node_affinity(config, spec):
        fields["affinity"] = {"nodeAffinity": affinity}
    if gpu.runtime_class_name:
        fields["runtimeClassName"] = gpu.runtime_class_name
    if gpu.scheduler_name:
        fields["schedulerName"] = gpu.scheduler_name
    if config.priority_class:
        fields["priorityClassName"] = config.priority_class
    return fields


def _node_affinity(config: KubernetesConfig, spec: WorkloadSpec) -> dict[str, Any]:
    required = _pool(config, spec.pool) if spec.pool else []
    if not wants_gpu(spec.gpu) and GPU_PRESENT not in spec.gpu.node_selector:
        required.append({"key": GPU_PRESENT, "operator": "DoesNotExist"})  # a GPU's host is too dear for CPU work
    if promises_whole_cards(spec.gpu):
        required.append(_expression(SHARING_STRATEGY, "NotIn", SHARED_BY))  # matches nodes without the label too
    affinity: dict[str, Any] = {}
    if required:
        affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": [{"matchExpressions": required}]}
    if spec.gpu.affinity_preferred:
        affinity["preferredDuringSchedulingIgnoredDuringExecution"] = [
            {
                "weight": each["weight"],
                "preference": {"matchExpressions": [_expression(each["key"], each["operator"], each.get("values", ()))]},
            }
            for each in spec.gpu.affinity_preferred
        ]
    return affinity


def _pool(config: KubernetesConfig, pool: str) -> list[dict[str, Any]]:
    labels = config.pools.get(pool, {POOL: pool})  # one that the configuration had when the launch was placed
    return [_expression(key, "In", [value]) for key, value in sorted(labels.items())]


def _expression(key: str, operator: str, values: Any) -> dict[str, Any]:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})
