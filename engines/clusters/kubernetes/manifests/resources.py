"""What a workload takes of its node, and claims of devices where the cluster allocates them dynamically. Pure."""

import hashlib
import json
from typing import Any

from engines.clusters.base import GpuSpec, WorkloadSpec
from engines.clusters.kubernetes.labels import class_label, workload_labels

DEVICE = "gpu"
_EPHEMERAL = ("1Gi", "40Gi")  # asked for, and at most: logs, /tmp and what an engine writes beside its volume
_DIGEST_LENGTH = 8


def container_resources(gpu: GpuSpec) -> dict[str, Any]:
    """Requests and limits. CPU and memory are what the class says, no more and no less: no neighbour can take them.

    The scheduler knows extended resources (those with a slash) as whole devices: request and limit are one number.
    """
    own = {"cpu": f"{gpu.cpu_millis}m", "memory": f"{gpu.ram_mib}Mi"}
    devices = {gpu.resource: str(gpu.count)} if gpu.resource and gpu.count else {}
    extended = devices | {name: value for name, value in gpu.extra_limits.items() if "/" in name}
    native = {name: value for name, value in gpu.extra_limits.items() if "/" not in name}
    asked, most = _EPHEMERAL
    resources: dict[str, Any] = {
        "requests": own | {"ephemeral-storage": asked} | extended,
        "limits": own | {"ephemeral-storage": most} | native | extended,
    }
    return resources | ({"claims": [{"name": DEVICE}]} if gpu.dra else {})


def claim_template_name(spec: WorkloadSpec) -> str:
    """Name the template of the workload's device claims after what it holds, since a template never changes."""
    asked = json.dumps([_requests(spec.gpu), workload_labels(spec) | class_label(spec.gpu)], sort_keys=True)
    return f"{spec.name}-{hashlib.sha256(asked.encode()).hexdigest()[:_DIGEST_LENGTH]}"


def claim_template(spec: WorkloadSpec) -> dict[str, Any]:
    """Return the ResourceClaimTemplate of a class that has `dra`; clusters know its kind since Kubernetes 1.34."""
    metadata = {"name": claim_template_name(spec), "namespace": spec.namespace, "labels": workload_labels(spec)}
    labels = workload_labels(spec) | class_label(spec.gpu)  # of each claim: unlabelled, it would count as somebody else's
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": metadata,
        "spec": {"metadata": {"labels": labels}, "spec": {"devices": {"requests": _requests(spec.gpu)}}},
    }


def pod_resource_claims(spec: WorkloadSpec) -> list[dict[str, str]]:
    """The Pod's claims: one, made with the Pod and gone with it, so that a paused instance holds no device."""
    return [{"name": DEVICE, "resourceClaimTemplateName": claim_template_name(spec)}] if spec.gpu.dra else []


def _requests(gpu: GpuSpec) -> list[dict[str, Any]]:
    return [{"name": DEVICE, "firstAvailable": [_alternative(each) for each in gpu.dra["first_available"]]}]


def _alternative(request: Any) -> dict[str, Any]:
    alternative = {"name": request["name"], "deviceClassName": request["device_class"]}
    if request.get("cel"):
        alternative["selectors"] = [{"cel": {"expression": each}} for each in request["cel"]]
    if request.get("count", 1) != 1:
        alternative |= {"allocationMode": "ExactCount", "count": request["count"]}
    return alternative
