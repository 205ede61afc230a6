"""What serves the files of a volume while a person looks at them: a small Pod without a GPU, and its Service. Pure.

Both belong to the volume's claim, so that they go with it. The Pod ends by itself: when idle, and for good after some hours.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from engines.clusters.base import VolumeRef, WorkloadSpec
from engines.clusters.kubernetes.config import KubernetesConfig
from engines.clusters.kubernetes.labels import ROLE, ROLE_FILES, SPEC_HASH, VOLUME, volume_labels
from engines.clusters.kubernetes.manifests.network import PORT_NAME
from engines.clusters.kubernetes.manifests.placement import GPU_PRESENT
from engines.clusters.kubernetes.manifests.security import container_security_context, pod_security_context
from engines.clusters.kubernetes.manifests.tenant import SERVICE_ACCOUNT
from engines.clusters.names import files_name

PORT = 8080
IDLE_SECONDS = 600
LONGEST_SECONDS = 4 * 3600
_DATA = "/data"
_GRACE_SECONDS = 25  # for the last transfers; see engines.files.server
# A volume may be tied to machines with GPUs, so these may be used, though others are preferred.
_GPU_TAINTS = ("nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com/i915", "gpu.intel.com/xe")


def files_service(config: KubernetesConfig, volume: VolumeRef, tenant: str, claim: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Service; `claim` is the volume's, as the cluster has it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(volume, tenant, claim),
        "spec": {
            "type": "ClusterIP",
            "selector": {VOLUME: volume.name, ROLE: ROLE_FILES},
            "ports": [{"name": PORT_NAME, "port": config.service_port, "targetPort": PORT_NAME, "protocol": "TCP"}],
        },
    }


def files_pod(
    config: KubernetesConfig,
    volume: VolumeRef,
    tenant: str,
    claim: Mapping[str, Any],
    *,
    token_sha256: str,
    node: str = "",
) -> dict[str, Any]:
    """Return the Pod. `token_sha256` is the digest of what requests must bear; `node` is where the volume is mounted already."""
    nobody = WorkloadSpec(name="", instance_id="", tenant=tenant, epoch=0, volume=volume.name)
    metadata = _metadata(volume, tenant, claim)
    metadata["annotations"] = {SPEC_HASH: files_hash(config, token_sha256)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "serviceAccountName": SERVICE_ACCOUNT,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": LONGEST_SECONDS,
            "terminationGracePeriodSeconds": _GRACE_SECONDS,
            "securityContext": pod_security_context(config, nobody),
            "tolerations": [{"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in _GPU_TAINTS],
            "affinity": {"nodeAffinity": _affinity(node)},
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": volume.name}}],
            "containers": [_container(config, nobody, token_sha256)],
        },
    }


def files_hash(config: KubernetesConfig, token_sha256: str) -> str:
    """Digest what makes a Pod of an earlier portal useless: another image or another token."""
    return f"sha256:{hashlib.sha256(f'{config.files_image} {token_sha256}'.encode()).hexdigest()}"


def _metadata(volume: VolumeRef, tenant: str, claim: Mapping[str, Any]) -> dict[str, Any]:
    owner = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": volume.name, "uid": claim["metadata"]["uid"]}
    return {
        "name": files_name(volume.name),
        "namespace": volume.namespace,
        "labels": volume_labels(volume.name, tenant) | {ROLE: ROLE_FILES},
        "ownerReferences": [owner],
    }


def _affinity(node: str) -> dict[str, Any]:
    no_gpu = {"matchExpressions": [{"key": GPU_PRESENT, "operator": "DoesNotExist"}]}
    affinity: dict[str, Any] = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": no_gpu}]}
    if node:
        there = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
        affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": [there]}
    return affinity


def _container(config: KubernetesConfig, nobody: WorkloadSpec, token_sha256: str) -> dict[str, Any]:
    options = {"--root": _DATA, "--port": str(PORT), "--token-sha256": token_sha256, "--idle-seconds": str(IDLE_SECONDS)}
    return {
        "name": "files",
        "image": config.files_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "engines.files.server", *(word for option in options.items() for word in option)],
        "env": [{"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}],
        "ports": [{"name": PORT_NAME, "containerPort": PORT, "protocol": "TCP"}],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "16Mi"},
            "limits": {"cpu": "1", "memory": "256Mi", "ephemeral-storage": "64Mi"},
        },
        "securityContext": container_security_context(nobody) | {"readOnlyRootFilesystem": True},
        "volumeMounts": [{"name": "data", "mountPath": _DATA}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": PORT_NAME}, "periodSeconds": 2, "failureThreshold": 3},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
