"""Where a Pod may land: node selector, affinity and tolerations, as far as a GPU class can say them."""

from typing import Any

from engines import catalog_schema as schema
from engines.adoption.findings import Decider, Fields, misfit

_UNSAID = "a GPU class cannot say this; write it as node_selector or affinity_preferred"
_NEIGHBOURS = "where other Pods are does not matter to engines, of which each tenant sees its own"


def read_placement(pod: Fields) -> dict[str, Any]:
    """The fields of a GPU class that choose nodes; empty ones are left out."""
    selector: dict[str, str] = {}
    for key, value in pod.mapping("nodeSelector").unread():
        wrong = misfit(schema.LabelKey, key) or misfit(schema.LabelValue, value)
        if wrong:
            pod.notes.refuse(f"{pod.at('nodeSelector')}[{key}]", wrong)
        else:
            selector[key] = value
    affinity = pod.mapping("affinity")
    nodes = affinity.mapping("nodeAffinity")
    selector |= _required(nodes)
    preferred = _preferred(nodes)
    nodes.report_rest()
    affinity.report_rest(dict.fromkeys(("podAffinity", "podAntiAffinity"), (_NEIGHBOURS, Decider.NOBODY)))
    placement = {
        "node_selector": selector,
        "affinity_preferred": preferred,
        "tolerations": [_toleration(each) for each in pod.mappings("tolerations")],
    }
    return {name: value for name, value in placement.items() if value}


def _required(nodes: Fields) -> dict[str, str]:
    """One term that asks for one value each is the same as a node selector; nothing else is."""
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    terms = nodes.mapping(key).mappings("nodeSelectorTerms")
    if not terms:
        return {}
    expressions = terms[0].mappings("matchExpressions")
    labels = {each.text("key"): each.texts("values") for each in expressions if each.text("operator") == "In"}
    sayable = all(len(values) == 1 and not misfit(schema.LabelKey, label) for label, values in labels.items())
    if len(terms) > 1 or len(labels) < len(expressions) or not sayable or list(terms[0].unread()):
        nodes.notes.note(nodes.at(key), _UNSAID, Decider.OPERATOR)
        return {}
    return {label: values[0] for label, values in labels.items()}


def _preferred(nodes: Fields) -> list[dict[str, Any]]:
    found = []
    for term in nodes.mappings("preferredDuringSchedulingIgnoredDuringExecution"):
        weight, preference = term.take("weight"), term.mapping("preference")
        expressions = preference.mappings("matchExpressions")
        one = [_expression(each, weight) for each in expressions]
        if len(one) != 1 or misfit(schema.NodePreference, one[0]) or list(preference.unread()):
            nodes.notes.note(term.path, _UNSAID, Decider.OPERATOR)
        else:
            found += one
        term.report_rest()
    return found


def _expression(expression: Fields, weight: object) -> dict[str, Any]:
    preference = {"weight": weight, "key": expression.text("key"), "operator": expression.text("operator")}
    values = expression.texts("values")
    return preference | ({"values": values} if values else {})


def _toleration(toleration: Fields) -> dict[str, str]:
    """Kubernetes takes a missing operator for Equal, the catalog for Exists, so it is always written."""
    found = {"operator": toleration.text("operator") or "Equal"}
    found |= {name: value for name in ("key", "value", "effect") if (value := toleration.text(name))}
    if toleration.take("tolerationSeconds") is not None:
        toleration.notes.note(toleration.at("tolerationSeconds"), "a GPU class has no time limit for a toleration")
    toleration.report_rest()
    if wrong := misfit(schema.Toleration, found):
        toleration.notes.refuse(toleration.path, wrong)
    return {name: found[name] for name in ("key", "operator", "value", "effect") if name in found}
