"""Which nodes may take a Pod, and how much of each its present Pods hold, as the scheduler counts. Pure.

Documents are as the API sends them; see "Taints and Tolerations", "Pod resources" and "Sidecar Containers" in Kubernetes'
documentation for the rules.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from engines.clusters.base import GpuSpec
from engines.clusters.kubernetes.quantities import quantity

Json = Mapping[str, Any]
Amounts = dict[str, Decimal]
"""Resource name to exact amount; what is absent is 0."""

VIRTUAL_NODE_LABEL = ("type", "virtual-kubelet")
_KEEPS_OFF = {"NoSchedule", "NoExecute"}
_ENDED = {"Succeeded", "Failed"}


def name_of(document: Json) -> str:
    """Return the object's name."""
    return str((document.get("metadata") or {}).get("name", ""))


def labels_of(document: Json) -> Mapping[str, str]:
    """Return the object's labels."""
    return (document.get("metadata") or {}).get("labels") or {}


def annotations_of(document: Json) -> Mapping[str, str]:
    """Return the object's annotations."""
    return (document.get("metadata") or {}).get("annotations") or {}


def allocatable(node: Json) -> Amounts:
    """Return what Pods may have of the node in all."""
    given = (node.get("status") or {}).get("allocatable") or {}
    return _amounts(given)


def is_virtual(node: Json) -> bool:
    """Tell whether a cloud stands behind the node, so that what it says of itself means nothing."""
    key, value = VIRTUAL_NODE_LABEL
    return labels_of(node).get(key) == value


def is_open(node: Json) -> bool:
    """Tell whether the node is Ready and takes new Pods at all."""
    if (node.get("spec") or {}).get("unschedulable"):
        return False
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def is_selected(node: Json, selector: Mapping[str, str]) -> bool:
    """Tell whether the node has all these labels."""
    labels = labels_of(node)
    return all(labels.get(key) == value for key, value in selector.items())


def fits(node: Json, term: Json) -> bool:
    """Tell whether the node meets a NodeSelectorTerm, as a PersistentVolume's affinity lists them; none meets an empty one."""
    labels, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    itself = {"metadata.name": name_of(node)}
    met = [_meets(each, labels_of(node)) for each in labels] + [_meets(each, itself) for each in fields]
    return bool(met) and all(met)


def _meets(requirement: Json, values: Mapping[str, str]) -> bool:
    value, wanted = values.get(requirement["key"]), list(requirement.get("values") or ())
    match requirement["operator"]:
        case "In":
            return value in wanted
        case "NotIn":
            return value not in wanted
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    # Gt and Lt compare whole numbers.
    sign = 1 if requirement["operator"] == "Gt" else -1
    return value is not None and value.isdecimal() and sign * int(value) > sign * int(wanted[0])


def untolerated(node: Json, tolerations: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the taints that keep the Pod off the node, as `key=value:effect`."""
    taints = [each for each in (node.get("spec") or {}).get("taints") or () if each.get("effect") in _KEEPS_OFF]
    refused = [taint for taint in taints if not any(_tolerates(each, taint) for each in tolerations)]
    return [f"{each.get('key', '')}={each.get('value', '')}:{each['effect']}" for each in refused]


def _tolerates(toleration: Mapping[str, str], taint: Mapping[str, str]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if not toleration.get("key"):
        return toleration.get("operator") == "Exists"
    if toleration["key"] != taint.get("key"):
        return False
    # A Pod's toleration without an operator means Equal; one of a catalog file always has its operator.
    return toleration.get("operator", "Equal") == "Exists" or (toleration.get("value") or "") == (taint.get("value") or "")


def needs(spec: GpuSpec) -> Amounts:
    """Return what one workload of the class takes of a node."""
    wanted = {"cpu": Decimal(spec.cpu_millis) / 1000, "memory": Decimal(spec.ram_mib) * 1024**2, "pods": Decimal(1)}
    if spec.resource:
        wanted[spec.resource] = Decimal(spec.count)
    return plus(wanted, _amounts(spec.extra_limits))


def bound_to(pods: Iterable[Json]) -> dict[str, list[Json]]:
    """Sort the Pods that have not ended by the node that they were given."""
    found: dict[str, list[Json]] = {}
    for pod in pods:
        node = (pod.get("spec") or {}).get("nodeName")
        if node and (pod.get("status") or {}).get("phase") not in _ENDED:
            found.setdefault(node, []).append(pod)
    return found


def held_by(pods: Iterable[Json]) -> Amounts:
    """Add up what the Pods hold of their node, themselves included as `pods`."""
    return plus(*(plus(requested(pod), {"pods": Decimal(1)}) for pod in pods))


def requested(pod: Json) -> Amounts:
    """Return what the scheduler sets aside for the Pod: the most that it needs at one time, and its overhead."""
    spec = pod.get("spec") or {}
    beside: Amounts = {}
    most: Amounts = {}
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            beside = plus(beside, _requests(container))  # a sidecar: it stays
            most = _greater(most, beside)
        else:
            most = _greater(most, plus(beside, _requests(container)))
    running = plus(beside, *(_requests(container) for container in spec.get("containers") or ()))
    # What the Pod says as a whole counts before what its containers say.
    return plus(_greater(most, running) | _requests(spec), _amounts(spec.get("overhead") or {}))


def plus(*amounts: Amounts) -> Amounts:
    """Add up."""
    total: Amounts = {}
    for each in amounts:
        for name, amount in each.items():
            total[name] = total.get(name, Decimal(0)) + amount
    return total


def _greater(one: Amounts, other: Amounts) -> Amounts:
    return {name: max(one.get(name, Decimal(0)), other.get(name, Decimal(0))) for name in one | other}


def _requests(holder: Json) -> Amounts:
    """Read requests; a limit without a request is one, as the API server has it."""
    resources = holder.get("resources") or {}
    return _amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _amounts(given: Mapping[str, object]) -> Amounts:
    return {name: quantity(text) for name, text in given.items()}
