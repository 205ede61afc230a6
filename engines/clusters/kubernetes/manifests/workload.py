"""The two objects of an instance: the StatefulSet that runs it, or does not, and the Service that names it. Pure."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from engines.clusters.base import WorkloadSpec
from engines.clusters.kubernetes.config import KubernetesConfig
from engines.clusters.kubernetes.labels import EPOCH, SPEC_HASH, STOPPED_EPOCH, selector, workload_labels
from engines.clusters.kubernetes.manifests.network import PORT_NAME
from engines.clusters.kubernetes.manifests.pod import pod_template


def service(config: KubernetesConfig, spec: WorkloadSpec) -> dict[str, Any]:
    """Return the Service: one name and port for the gateway, whichever port the engine listens on."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": spec.name, "namespace": spec.namespace, "labels": workload_labels(spec)},
        "spec": {
            "type": "ClusterIP",
            "selector": dict(selector(spec)),
            "ports": [{"name": PORT_NAME, "port": config.service_port, "targetPort": PORT_NAME, "protocol": "TCP"}],
        },
    }


def statefulset(config: KubernetesConfig, spec: WorkloadSpec, *, replicas: int, epoch: int, stopped: int) -> dict[str, Any]:
    """Return the StatefulSet. `replicas` is 1 or 0: it runs or it is paused; `stopped` is the last epoch that was stopped."""
    document: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {
            "name": spec.name,
            "namespace": spec.namespace,
            "labels": workload_labels(spec),
            "annotations": {EPOCH: str(epoch), STOPPED_EPOCH: str(stopped)},
        },
        "spec": {
            "replicas": replicas,
            "serviceName": spec.name,
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "OnDelete"},  # a changed template never ends a run
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": dict(selector(spec))},
            "template": pod_template(config, spec),
        },
    }
    document["metadata"]["annotations"][SPEC_HASH] = spec_hash(document)
    return document


def spec_hash(document: Mapping[str, Any]) -> str:
    """Digest the Pod template of a StatefulSet: two that would run the same thing have the same one."""
    canonical = json.dumps(document["spec"]["template"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
