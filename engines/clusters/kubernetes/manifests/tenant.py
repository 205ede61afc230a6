"""What a tenant's namespace holds before the first instance: who may talk to whom, how much, and as whom. Pure."""

from typing import Any

from engines.clusters.kubernetes.config import KubernetesConfig
from engines.clusters.kubernetes.labels import ROLE, ROLE_ENGINE, tenant_labels
from engines.clusters.kubernetes.manifests.network import network_policies

SERVICE_ACCOUNT = "engine"
_LEVEL = "pod-security.kubernetes.io"
# A Service of the tenant must never be reachable around the gateway.
_NEVER = {"services.nodeports": "0", "services.loadbalancers": "0"}


def tenant_objects(config: KubernetesConfig, tenant: str, namespace: str) -> list[dict[str, Any]]:
    """Return all objects of a tenant's namespace, in the order in which they are to be applied.

    A ResourceQuota and a LimitRange are among them only where `config.quota` and `config.limits` ask for them.
    """
    common = {"namespace": namespace, "labels": tenant_labels(tenant)}
    return [
        namespace_object(config, tenant, namespace),
        service_account(config, common),
        *network_policies(config, common),
        *([resource_quota(config, common)] if config.quota else []),
        *([limit_range(config, common)] if config.limits else []),
        disruption_budget(common),
    ]


def namespace_object(config: KubernetesConfig, tenant: str, namespace: str) -> dict[str, Any]:
    """The namespace, whose labels make the API server refuse Pods that could leave their container."""
    level = {
        f"{_LEVEL}/enforce": config.pod_security,
        f"{_LEVEL}/enforce-version": "latest",
        f"{_LEVEL}/warn": config.pod_security,
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": tenant_labels(tenant) | level}}


def service_account(config: KubernetesConfig, common: dict[str, Any]) -> dict[str, Any]:
    """Who engines are: somebody without a token. The credentials of registries hang here, out of reach of the engine."""
    account: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": SERVICE_ACCOUNT, **common},
        "automountServiceAccountToken": False,
    }
    if config.image_pull_secrets:
        account["imagePullSecrets"] = [{"name": name} for name in config.image_pull_secrets]
    return account


def resource_quota(config: KubernetesConfig, common: dict[str, Any]) -> dict[str, Any]:
    """What the tenant's objects may take together, as the second line behind the portal's own quota."""
    hard = _NEVER | dict(config.quota)
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "tenant", **common}, "spec": {"hard": hard}}


def limit_range(config: KubernetesConfig, common: dict[str, Any]) -> dict[str, Any]:
    """What one container, Pod or claim may take."""
    limits = [{"type": kind} | {bound: dict(each) for bound, each in bounds.items()} for kind, bounds in config.limits.items()]
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "tenant", **common}, "spec": {"limits": limits}}


def disruption_budget(common: dict[str, Any]) -> dict[str, Any]:
    """Makes the drain of a node wait for its engines; a paused instance has no Pod, so nothing waits for it."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "engines", **common},
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {ROLE: ROLE_ENGINE}}},
    }
