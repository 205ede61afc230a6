"""Who an engine is inside its Pod, and what it may not do there: Pod Security Standard `restricted`. Pure."""

from typing import Any

from engines.clusters.base import WorkloadSpec
from engines.clusters.kubernetes.config import KubernetesConfig

_STRICT_GROUPS_SINCE = (1, 36)  # generally available, and no supported kubelet runs on a container runtime without it


def is_root(run_as: str) -> bool:
    """Tell whether the image insists on being root."""
    return run_as in {"root", "0"}


def pod_security_context(config: KubernetesConfig, spec: WorkloadSpec) -> dict[str, Any]:
    """Users and groups. The group of the volume is the cluster's, whoever runs: the next version finds its files open."""
    uid = 0 if is_root(spec.run_as) else int(spec.run_as or config.run_as)
    context: dict[str, Any] = {
        "runAsUser": uid,
        "runAsGroup": uid,
        "fsGroup": config.run_as,
        "fsGroupChangePolicy": "OnRootMismatch",  # a volume full of models is not walked at every start
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if uid:
        context["runAsNonRoot"] = True
    if config.version >= _STRICT_GROUPS_SINCE:
        context["supplementalGroupsPolicy"] = "Strict"
    return context


def container_security_context(spec: WorkloadSpec) -> dict[str, Any]:
    """No privileges, no capabilities; root only inside a user namespace, see `pod_spec`."""
    context: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return context if is_root(spec.run_as) else context | {"runAsNonRoot": True}
