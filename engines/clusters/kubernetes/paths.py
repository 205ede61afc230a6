"""Addresses of the API's collections and objects. Pure."""

from collections.abc import Mapping
from typing import Any

GROUPS = {
    "namespaces": "/api/v1",
    "nodes": "/api/v1",
    "pods": "/api/v1",
    "services": "/api/v1",
    "serviceaccounts": "/api/v1",
    "persistentvolumeclaims": "/api/v1",
    "persistentvolumes": "/api/v1",
    "resourcequotas": "/api/v1",
    "limitranges": "/api/v1",
    "events": "/api/v1",
    "statefulsets": "/apis/apps/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "poddisruptionbudgets": "/apis/policy/v1",
    "resourceclaimtemplates": "/apis/resource.k8s.io/v1",
    "resourceclaims": "/apis/resource.k8s.io/v1",
    "resourceslices": "/apis/resource.k8s.io/v1",
    "deviceclasses": "/apis/resource.k8s.io/v1",
}
_RESOURCES = {
    "Namespace": "namespaces",
    "ServiceAccount": "serviceaccounts",
    "ResourceQuota": "resourcequotas",
    "LimitRange": "limitranges",
    "NetworkPolicy": "networkpolicies",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Service": "services",
    "StatefulSet": "statefulsets",
    "Pod": "pods",
    "ResourceClaimTemplate": "resourceclaimtemplates",
}


def collection(resource: str, namespace: str = "") -> str:
    """Return where objects of a kind are, e.g. `/apis/apps/v1/namespaces/aigc-t-acme/statefulsets`; without one, of all."""
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"{GROUPS[resource]}{where}/{resource}"


def member(resource: str, namespace: str, name: str) -> str:
    """Return where one object is."""
    return f"{collection(resource, namespace)}/{name}"


def home(document: Mapping[str, Any]) -> str:
    """Return where a document's object is."""
    about = document["metadata"]
    return member(_RESOURCES[document["kind"]], about.get("namespace", ""), about["name"])
