"""The Pod of an instance: one container that is the engine. Pure."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from engines.clusters.base import WorkloadSpec
from engines.clusters.kubernetes.config import KubernetesConfig
from engines.clusters.kubernetes.labels import ENGINE_CONTAINER, class_label, workload_labels
from engines.clusters.kubernetes.manifests.network import PORT_NAME
from engines.clusters.kubernetes.manifests.placement import placement
from engines.clusters.kubernetes.manifests.resources import container_resources, pod_resource_claims
from engines.clusters.kubernetes.manifests.security import container_security_context, is_root, pod_security_context
from engines.clusters.kubernetes.manifests.tenant import SERVICE_ACCOUNT
from engines.clusters.kubernetes.manifests.volumes import volume_mounts, volumes
from engines.clusters.kubernetes.patch import strategic_merge

_ANY_PORT = 8080  # for an engine that takes whichever port it is told
_PROBE_SECONDS = 2  # a ready engine is noticed soon
_PROBE_TIMEOUT_SECONDS = 4
_DRAIN_SECONDS = 5
_SLEEP_SINCE = (1, 30)  # before, the API server drops the action and refuses a preStop without any
_STAYS = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}


def pod_template(config: KubernetesConfig, spec: WorkloadSpec) -> dict[str, Any]:
    """Return the template with the overlays of the GPU class and then of the engine version laid over it.

    An overlay is checked when it is saved (`overlay.patch_problem`). Our own labels are set last all the same: by them the
    portal finds what it runs.
    """
    labels = workload_labels(spec) | class_label(spec.gpu)
    template: dict[str, Any] = {
        "metadata": {"labels": dict(spec.gpu.pod_labels), "annotations": _STAYS | dict(spec.gpu.pod_annotations)},
        "spec": pod_spec(config, spec),
    }
    for overlay in (spec.gpu.pod_patch, spec.pod_patch):
        template = strategic_merge(template, overlay)
    metadata = template["metadata"]
    return template | {"metadata": metadata | {"labels": metadata.get("labels", {}) | labels}}


def pod_spec(config: KubernetesConfig, spec: WorkloadSpec) -> dict[str, Any]:
    """Return what the Pod is before any overlay."""
    fields: dict[str, Any] = {
        "serviceAccountName": SERVICE_ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostNetwork": False,
        "hostPID": False,
        "hostIPC": False,
        "shareProcessNamespace": False,
        "terminationGracePeriodSeconds": _grace_seconds(spec),
        "dnsPolicy": "ClusterFirst",
        "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
        "securityContext": pod_security_context(config, spec),
        "volumes": volumes(spec),
        "containers": [engine_container(config, spec)],
    }
    if is_root(spec.run_as):
        fields["hostUsers"] = False  # root of a user namespace, nobody outside it; `restricted` admits root only so
    if claims := pod_resource_claims(spec):
        fields["resourceClaims"] = claims
    return fields | placement(config, spec)


def engine_container(config: KubernetesConfig, spec: WorkloadSpec) -> dict[str, Any]:
    """Return the engine's container. It has no liveness probe: a busy GPU thread that misses one would lose a person's work."""
    container: dict[str, Any] = {
        "name": ENGINE_CONTAINER,
        "image": spec.image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": PORT_NAME, "containerPort": spec.port or _ANY_PORT, "protocol": "TCP"}],
        "resources": container_resources(spec.gpu),
        "securityContext": container_security_context(spec),
        "volumeMounts": volume_mounts(spec),
        "startupProbe": {
            "httpGet": {"path": spec.health_path, "port": PORT_NAME},
            "periodSeconds": _PROBE_SECONDS,
            "timeoutSeconds": _PROBE_TIMEOUT_SECONDS,
            "failureThreshold": max(1, math.ceil(spec.startup_limit_seconds / _PROBE_SECONDS)),
        },
        # Not HTTP: Python engines answer nobody while they load a model.
        "readinessProbe": {"tcpSocket": {"port": PORT_NAME}, "periodSeconds": 10, "failureThreshold": 6},
        "terminationMessagePolicy": "FallbackToLogsOnError",  # why it ended is in the Pod's status
    }
    if spec.command:
        container["command"] = [_filled(word, spec) for word in spec.command]
    if spec.args:
        container["args"] = [_filled(word, spec) for word in spec.args]
    if env := [*_plain_environment(spec), *_secret_environment(spec)]:
        container["env"] = env
    drain = min(_DRAIN_SECONDS, _grace_seconds(spec) // 4)
    if drain and config.version >= _SLEEP_SINCE:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": drain}}}  # the gateway stops sending first
    return container


def _plain_environment(spec: WorkloadSpec) -> Iterable[Mapping[str, Any]]:
    return ({"name": name, "value": _filled(value, spec)} for name, value in sorted(spec.environment.items()))


def _secret_environment(spec: WorkloadSpec) -> Iterable[Mapping[str, Any]]:
    return (
        {"name": name, "valueFrom": {"secretKeyRef": {"name": entry.secret, "key": entry.key}}}
        for name, entry in sorted(spec.secret_environment.items())
    )


def _filled(text: str, spec: WorkloadSpec) -> str:
    """Fill in the placeholders of catalogs; other braces, such as those of JSON, stay as they are."""
    data = spec.data_mounts[0].path if spec.data_mounts else ""
    for name, value in (("port", str(spec.port or _ANY_PORT)), ("data", data), ("python", "python3")):
        text = text.replace("{" + name + "}", value)
    return text


def _grace_seconds(spec: WorkloadSpec) -> int:
    return max(1, math.ceil(spec.stop_grace_seconds))
