"""What the server fills in: only the defaults that a portal or a test can notice."""

import secrets
from collections.abc import Callable
from typing import Any

from tests.kubernetes.double.quantities import quality
from tests.kubernetes.double.resources import Document

TOLERATED = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for key in ("not-ready", "unreachable")
]


def fill(target: Document, **values: Any) -> Document:
    """Set what is not there."""
    for name, value in values.items():
        target.setdefault(name, value)
    return target


def pod_template(spec: Document) -> None:
    """Fill in a Pod's spec, in a template too."""
    for container in [*spec.get("initContainers", []), *spec.get("containers", [])]:
        fill_container(container)
    for volume in spec.get("volumes", []):
        if "secret" in volume or "configMap" in volume:
            fill(volume.get("secret", volume.get("configMap")), defaultMode=420)
    fill(spec, restartPolicy="Always", terminationGracePeriodSeconds=30, dnsPolicy="ClusterFirst", securityContext={})
    if "serviceAccountName" in spec:
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    fill(spec, schedulerName="default-scheduler")


def fill_container(container: Document) -> None:
    image = container.get("image", "")
    latest = ":" not in image.rpartition("/")[2] or image.endswith(":latest")
    for port in container.get("ports", []):
        fill(port, protocol="TCP")
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        if probe := container.get(name):
            if "httpGet" in probe:
                fill(probe["httpGet"], path="/", scheme="HTTP")
            fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    fill(container, resources={}, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
    fill(container, imagePullPolicy="Always" if latest else "IfNotPresent")


def pod(document: Document) -> None:
    spec = document["spec"]
    pod_template(spec)
    for container in spec["containers"]:
        limits = container["resources"].get("limits")
        if limits:
            container["resources"]["requests"] = limits | container["resources"].get("requests", {})
    fill(spec, serviceAccountName="default", serviceAccount=spec.get("serviceAccountName", "default"))
    keys = {each.get("key") for each in spec.get("tolerations", [])}
    spec["tolerations"] = spec.get("tolerations", []) + [each for each in TOLERATED if each["key"] not in keys]
    fill(spec, priority=0, enableServiceLinks=True, preemptionPolicy="PreemptLowerPriority")
    document["status"] = document.get("status") or {"phase": "Pending", "qosClass": quality(document)}


def stateful_set(document: Document) -> None:
    spec = document["spec"]
    spec["template"].setdefault("metadata", {})
    pod_template(spec["template"]["spec"])
    fill(spec, replicas=1, serviceName="", podManagementPolicy="OrderedReady", updateStrategy={}, revisionHistoryLimit=10)
    fill(spec["updateStrategy"], type="RollingUpdate")
    if spec["updateStrategy"]["type"] == "RollingUpdate":
        fill(spec["updateStrategy"], rollingUpdate={"partition": 0})
    fill(spec, persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Retain"})
    document["status"] = document.get("status") or {"replicas": 0, "availableReplicas": 0}


def service(document: Document) -> None:
    spec = document["spec"]
    for port in spec.get("ports", []):
        fill(port, protocol="TCP", targetPort=port.get("port"))
    fill(
        spec,
        type="ClusterIP",
        sessionAffinity="None",
        internalTrafficPolicy="Cluster",
        ipFamilies=["IPv4"],
        ipFamilyPolicy="SingleStack",
    )
    fill(document, status={"loadBalancer": {}})


def claim(document: Document) -> None:
    fill(document["spec"], volumeMode="Filesystem")
    finalizers = document["metadata"].setdefault("finalizers", [])
    if "deletionTimestamp" not in document["metadata"] and "kubernetes.io/pvc-protection" not in finalizers:
        finalizers.append("kubernetes.io/pvc-protection")
    document["status"] = document.get("status") or {"phase": "Pending"}


def namespace(document: Document) -> None:
    document["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = document["metadata"]["name"]
    fill(document, spec={"finalizers": ["kubernetes"]}, status={"phase": "Active"})


def with_empty_status(document: Document) -> None:
    fill(document, status={})


def storage_class(document: Document) -> None:
    fill(document, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def priority_class(document: Document) -> None:
    fill(document, preemptionPolicy="PreemptLowerPriority")


def secret(document: Document) -> None:
    fill(document, type="Opaque")


FILLERS: dict[str, Callable[[Document], None]] = {
    "Pod": pod, "StatefulSet": stateful_set, "Service": service, "PersistentVolumeClaim": claim, "Namespace": namespace,
    "ResourceQuota": with_empty_status, "PodDisruptionBudget": with_empty_status, "StorageClass": storage_class,
    "PriorityClass": priority_class, "Secret": secret,
}  # fmt: skip


def complete(document: Document) -> None:
    """Fill in the defaults of a document's kind, in place."""
    if filler := FILLERS.get(document["kind"]):
        filler(document)


def random_suffix() -> str:
    """Five letters, as `generateName` gets."""
    return "".join(secrets.choice("bcdfghjklmnpqrstvwxz2456789") for _ in range(5))
