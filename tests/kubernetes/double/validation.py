"""Refusals of what is wrong in itself or may not change: the cases that a portal can run into."""

import json
import re
from typing import Any

from tests.kubernetes.double.errors import Cause, bad_request, immutable, invalid
from tests.kubernetes.double.resources import Document, Resource

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    "with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end "
    "with an "
    "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an "
    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
STATEFUL_SET_MUTABLE = {
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
}  # fmt: skip
STATEFUL_SET_RULE = (
    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
CLAIM_RULE = (
    "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)
POD_RULE = (
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
    "tolerations),`spec.terminationGracePeriodSeconds` "
    "(allow it to be set to 1 if it was previously negative)"
)
SPECS = {
    "Pod": {
        "activeDeadlineSeconds", "affinity", "automountServiceAccountToken", "containers", "dnsConfig", "dnsPolicy",
        "enableServiceLinks", "ephemeralContainers", "hostAliases", "hostIPC", "hostNetwork", "hostPID", "hostUsers", "hostname",
        "imagePullSecrets", "initContainers", "nodeName", "nodeSelector", "os", "overhead", "preemptionPolicy", "priority",
        "priorityClassName", "readinessGates", "resourceClaims", "resources", "restartPolicy", "runtimeClassName",
        "schedulerName",
        "schedulingGates", "securityContext", "serviceAccount", "serviceAccountName", "setHostnameAsFQDN",
        "shareProcessNamespace",
        "subdomain", "terminationGracePeriodSeconds", "tolerations", "topologySpreadConstraints", "volumes",
    },
    "StatefulSet": STATEFUL_SET_MUTABLE | {"podManagementPolicy", "selector", "serviceName", "volumeClaimTemplates"},
    "PersistentVolumeClaim": {
        "accessModes", "dataSource", "dataSourceRef", "resources", "selector", "storageClassName", "volumeAttributesClassName",
        "volumeMode", "volumeName",
    },
}  # fmt: skip


def strict(document: Document) -> None:
    """fieldValidation=Strict: 400 for a field of a spec that its kind does not have."""
    unknown = unknown_fields(document["kind"], document.get("spec") or {}, "spec")
    if document["kind"] == "StatefulSet":
        unknown += unknown_fields("Pod", document.get("spec", {}).get("template", {}).get("spec", {}), "spec.template.spec")
    if unknown:
        told = ", ".join(f'unknown field "{name}"' for name in unknown)
        version = document["apiVersion"].rpartition("/")[2]
        raise bad_request(
            f'{document["kind"]} in version "{version}" cannot be handled as a {document["kind"]}: strict decoding error: {told}'
        )


def unknown_fields(kind: str, spec: Document, where: str) -> list[str]:
    return [f"{where}.{name}" for name in spec if kind in SPECS and name not in SPECS[kind]]


def on_create(resource: Resource, document: Document) -> None:
    """422 for an object that is wrong."""
    name = document["metadata"]["name"]
    causes: list[Cause] = []
    if resource.kind == "Service" and (not LABEL.fullmatch(name) or len(name) > 63):
        causes.append(("metadata.name", "FieldValueInvalid", f'Invalid value: "{name}": {LABEL_RULE}'))
    elif not SUBDOMAIN.fullmatch(name) and resource.group != "rbac.authorization.k8s.io":
        causes.append(("metadata.name", "FieldValueInvalid", f'Invalid value: "{name}": {SUBDOMAIN_RULE}'))
    causes += label_causes(document)
    if resource.kind == "StatefulSet":
        causes += stateful_set_causes(document["spec"])
    if causes:
        raise invalid(resource, name, causes)


def label_causes(document: Document) -> list[Cause]:
    causes: list[Cause] = []
    for value in (document["metadata"].get("labels") or {}).values():
        if len(value) > 63:
            causes.append(
                ("metadata.labels", "FieldValueInvalid", f'Invalid value: "{value}": must be no more than 63 characters')
            )
        elif not LABEL_VALUE.fullmatch(value):
            causes.append(("metadata.labels", "FieldValueInvalid", f'Invalid value: "{value}": {LABEL_VALUE_RULE}'))
    return causes


def stateful_set_causes(spec: Document) -> list[Cause]:
    chosen = spec.get("selector", {}).get("matchLabels") or {}
    labels = spec["template"]["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in chosen.items()):
        told = "map[string]string{" + ", ".join(f'"{key}":"{value}"' for key, value in labels.items()) + "}"
        why = f"Invalid value: {told}: `selector` does not match template `labels`"
        return [("spec.template.metadata.labels", "FieldValueInvalid", why)]
    return []


def on_update(resource: Resource, old: Document, new: Document) -> None:
    """422 for a change that the kind does not allow."""
    causes = label_causes(new)
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if before != after:
        causes += SPEC_CHANGES[resource.kind](before, after) if resource.kind in SPEC_CHANGES else []
    if causes:
        raise invalid(resource, old["metadata"]["name"], causes)


def changed(before: Document, after: Document) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def stateful_set_changes(before: Document, after: Document) -> list[Cause]:
    return [("spec", "FieldValueForbidden", STATEFUL_SET_RULE)] if changed(before, after) - STATEFUL_SET_MUTABLE else []


def claim_changes(before: Document, after: Document) -> list[Cause]:
    bound_now = {"volumeName"} if not before.get("volumeName") else set()
    return [("spec", "FieldValueForbidden", CLAIM_RULE)] if changed(before, after) - {"resources"} - bound_now else []


def pod_changes(before: Document, after: Document) -> list[Cause]:
    allowed = {"activeDeadlineSeconds", "tolerations"} | ({"nodeName"} if not before.get("nodeName") else set())
    differing = changed(before, after) - allowed
    if "containers" in differing and [*map(imageless, before["containers"])] == [*map(imageless, after["containers"])]:
        differing -= {"containers"}
    if not differing:
        return []
    lines = [line for name in sorted(differing) for line in difference(name, before.get(name), after.get(name))]
    return [("spec", "FieldValueForbidden", POD_RULE + "\n" + "\n".join(lines) + "\n")]


def imageless(container: Document) -> Document:
    return {name: value for name, value in container.items() if name != "image"}


def difference(name: str, before: Any, after: Any) -> list[str]:
    title = name[0].upper() + name[1:]
    return [f'- "{title}": {json.dumps(before)},', f'+ "{title}": {json.dumps(after)},']


def service_changes(before: Document, after: Document) -> list[Cause]:
    if before.get("clusterIP") and after.get("clusterIP") != before["clusterIP"]:
        told = json.dumps([after.get("clusterIP", "")], separators=(",", ":"))
        return [("spec.clusterIPs[0]", "FieldValueInvalid", f"Invalid value: {told}: may not change once set")]
    return []


def device_template_changes(before: Document, after: Document) -> list[Cause]:
    return [immutable("spec", json.dumps(after, separators=(",", ":")))]


SPEC_CHANGES = {
    "StatefulSet": stateful_set_changes, "PersistentVolumeClaim": claim_changes, "Pod": pod_changes, "Service": service_changes,
    "ResourceClaimTemplate": device_template_changes, "ResourceClaim": device_template_changes,
}  # fmt: skip
