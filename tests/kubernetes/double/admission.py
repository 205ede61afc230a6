"""What stands between a well-formed object and the store: namespaces, service accounts, priorities, limit ranges, quotas."""

from collections import Counter
from decimal import Decimal
from typing import Any

from tests.kubernetes.double.errors import ApiError, forbidden, not_found
from tests.kubernetes.double.pod_security import violations
from tests.kubernetes.double.quantities import amount, requested, written
from tests.kubernetes.double.resources import (
    CLAIMS,
    LIMIT_RANGES,
    NAMESPACES,
    PODS,
    PRIORITIES,
    QUOTAS,
    SERVICE_ACCOUNTS,
    STORAGE_CLASSES,
    Document,
    Resource,
)
from tests.kubernetes.double.store import Store

COMPUTE = ("cpu", "memory", "ephemeral-storage")
SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


def check_namespace(store: Store, resource: Resource, document: Document) -> None:
    """404 where there is no such namespace, 403 where it is going away."""
    if not resource.namespaced:
        return
    namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
    found = store.get(NAMESPACES, "", namespace)
    if found is None:
        raise not_found(NAMESPACES, namespace)
    if found["status"].get("phase") == "Terminating":
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {namespace} is being terminated",
            "field": "metadata.namespace",
        }
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        raise forbidden(resource, name, why, causes=[cause])


def mutate(store: Store, resource: Resource, document: Document) -> None:
    """Fill in what admission fills in; runs before the defaults."""
    if resource is PODS:
        spec, namespace, name = document["spec"], document["metadata"]["namespace"], document["metadata"]["name"]
        account = spec.get("serviceAccountName") or "default"
        if store.get(SERVICE_ACCOUNTS, namespace, account) is None:
            why = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
            raise forbidden(PODS, name, why)
        set_priority(store, document)
        for limits in container_limits(store, namespace):
            for container in spec["containers"]:
                fill_limits(container, limits)
    elif resource is CLAIMS and "storageClassName" not in document["spec"]:
        for each in store.all(STORAGE_CLASSES):
            if (each["metadata"].get("annotations") or {}).get("storageclass.kubernetes.io/is-default-class") == "true":
                document["spec"]["storageClassName"] = each["metadata"]["name"]


def set_priority(store: Store, pod: Document) -> None:
    name = pod["spec"].get("priorityClassName")
    if not name:
        return
    found = store.get(PRIORITIES, "", name) or ({"value": SYSTEM_PRIORITIES[name]} if name in SYSTEM_PRIORITIES else None)
    if found is None:
        raise forbidden(PODS, pod["metadata"]["name"], f"no PriorityClass with name {name} was found")
    pod["spec"] |= {"priority": found["value"], "preemptionPolicy": found.get("preemptionPolicy", "PreemptLowerPriority")}


def container_limits(store: Store, namespace: str) -> list[Document]:
    ranges = store.all(LIMIT_RANGES, namespace)
    return [limits for each in ranges for limits in each["spec"]["limits"] if limits["type"] == "Container"]


def fill_limits(container: Document, limits: Document) -> None:
    resources = container.setdefault("resources", {})
    given = resources.get("limits") or {}
    wanted = {**(limits.get("default") or {}), **given}
    asked = {**(limits.get("defaultRequest") or {}), **given, **(resources.get("requests") or {})}
    resources |= ({"limits": wanted} if wanted else {}) | ({"requests": asked} if asked else {})


def validate(store: Store, resource: Resource, document: Document) -> None:
    """Refuse what limit ranges, Pod Security or a quota do not allow."""
    namespace, name = document["metadata"].get("namespace", ""), document["metadata"]["name"]
    if resource is PODS:
        problems = [told for limits in container_limits(store, namespace) for told in beyond(document, limits)]
        if problems:
            raise forbidden(PODS, name, problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")
        labels = (store.objects[NAMESPACES][("", namespace)]["metadata"].get("labels")) or {}
        level = labels.get("pod-security.kubernetes.io/enforce", "privileged")
        version = labels.get("pod-security.kubernetes.io/enforce-version", "latest")
        if found := violations(document, level):
            raise forbidden(PODS, name, f'violates PodSecurity "{level}:{version}": {", ".join(found)}')
    if resource.namespaced:
        for quota in store.all(QUOTAS, namespace):
            check_quota(store, resource, document, quota)


def beyond(pod: Document, limits: Document) -> list[str]:
    told = []
    for container in pod["spec"]["containers"]:
        for resource, most in (limits.get("max") or {}).items():
            limit = (container["resources"].get("limits") or {}).get(resource)
            if limit is None:
                told.append(f"maximum {resource} usage per Container is {most}.  No limit is specified")
            elif amount(limit) > amount(most):
                told.append(f"maximum {resource} usage per Container is {most}, but limit is {limit}")
    return told


def check_quota(store: Store, resource: Resource, document: Document, quota: Document) -> None:
    """403 if the object would go over a quota, or does not say how much it takes of what the quota counts."""
    hard = quota["spec"].get("hard") or {}
    name, title = document["metadata"]["name"], quota["metadata"]["name"]
    if resource is PODS and (unsaid := unstated(document, hard)):
        raise forbidden(resource, name, f"failed quota: {title}: must specify {'; '.join(unsaid)}")
    asked = {key: value for key, value in usage(resource, document).items() if key in hard and value}
    used = used_of(store, document["metadata"]["namespace"], hard) if asked else Counter()
    over = sorted(key for key, value in asked.items() if used[key] + value > amount(hard[key]))
    if over:
        raise quota_exceeded(resource, name, title, [(key, asked[key], used[key], hard[key]) for key in over])


def quota_exceeded(resource: Resource, name: str, quota: str, rows: list[tuple[str, Any, Any, Any]]) -> ApiError:
    def told(index: int) -> str:
        return ",".join(f"{row[0]}={written(row[0], amount(row[index]))}" for row in rows)

    return forbidden(resource, name, f"exceeded quota: {quota}, requested: {told(1)}, used: {told(2)}, limited: {told(3)}")


def unstated(pod: Document, hard: Document) -> list[str]:
    told = []
    for key in sorted(hard):
        part, _, resource = key.rpartition(".") if key.startswith(("requests.", "limits.")) else ("requests", "", key)
        part = part or "requests"
        if resource in COMPUTE:
            names = [c["name"] for c in pod["spec"]["containers"] if resource not in (c["resources"].get(part) or {})]
            told += [f"{key} for: {','.join(names)}"] if names else []
    return told


def usage(resource: Resource, document: Document) -> dict[str, Decimal]:
    """What one object takes, by the keys of a quota."""
    one = Decimal(1)
    taken = {f"count/{resource.qualified}": one} | ({} if resource.group else {resource.plural: one})
    if resource is PODS:
        asked, most = requested(document), requested(document, "limits")
        taken |= {f"requests.{name}": Decimal(value) for name, value in asked.items()}
        taken |= {name: Decimal(value) for name, value in asked.items() if name in COMPUTE}
        taken |= {f"limits.{name}": Decimal(value) for name, value in most.items()}
    elif resource is CLAIMS:
        size = amount(document["spec"]["resources"]["requests"]["storage"])
        storage_class = document["spec"].get("storageClassName", "")
        prefix = f"{storage_class}.storageclass.storage.k8s.io/"
        taken |= {"requests.storage": size, f"{prefix}requests.storage": size, f"{prefix}persistentvolumeclaims": one}
    return taken


def used_of(store: Store, namespace: str, hard: Document) -> Counter[str]:
    """Sum what a namespace holds of what a quota counts; a Pod that has ended counts no more."""
    total: Counter[str] = Counter()
    for resource, objects in store.objects.items():
        if not resource.namespaced or not counted(resource, hard):
            continue
        for (where, _), document in objects.items():
            if where == namespace and (resource is not PODS or document["status"].get("phase") not in ("Failed", "Succeeded")):
                for key, value in usage(resource, document).items():
                    total[key] += value  # type: ignore[assignment]
    return total


def counted(resource: Resource, hard: Document) -> bool:
    if resource in (PODS, CLAIMS):
        return True
    return resource.plural in hard or f"count/{resource.qualified}" in hard
