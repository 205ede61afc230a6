"""Templates of device claims: a workload's own, made with it and gone with it.

A template never changes, so a workload whose GPU class changed has another one; the devices themselves hang on the Pod.
"""

from engines.clusters.base import WorkloadRef
from engines.clusters.kubernetes import paths
from engines.clusters.kubernetes.labels import WORKLOAD
from engines.clusters.kubernetes.rest import ApiError, Json, Rest

_RESOURCE = "resourceclaimtemplates"
_UNKNOWN_OR_FORBIDDEN = frozenset({403, 404})


def names_in(statefulset: Json) -> set[str]:
    """Return the names of the templates that the Pod of a StatefulSet claims devices by."""
    pod = ((statefulset.get("spec") or {}).get("template") or {}).get("spec") or {}
    named = (each.get("resourceClaimTemplateName") for each in pod.get("resourceClaims") or ())
    return {name for name in named if name}


def forget_former(rest: Rest, workload: WorkloadRef, before: Json, after: Json) -> None:
    """Delete the templates that a StatefulSet named and names no more."""
    for name in sorted(names_in(before) - names_in(after)):
        rest.delete(paths.member(_RESOURCE, workload.namespace, name))


def forget(rest: Rest, workload: WorkloadRef) -> None:
    """Delete all that there are of the workload."""
    labelled = rest.items(paths.collection(_RESOURCE, workload.namespace), labelSelector=f"{WORKLOAD}={workload.name}")
    for template in list(labelled):
        rest.delete(paths.member(_RESOURCE, workload.namespace, template["metadata"]["name"]))


def forget_leftovers(rest: Rest, workload: WorkloadRef) -> None:
    """The same for a workload that may never have had any, where a cluster may know no such thing, or grant no right to it."""
    try:
        forget(rest, workload)
    except ApiError as error:
        if error.status not in _UNKNOWN_OR_FORBIDDEN:
            raise
