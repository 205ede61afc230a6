"""Label and field selectors of lists and watches."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.kubernetes.double.errors import bad_request
from tests.kubernetes.double.resources import Document, Resource

Test = Callable[[Document], bool]
SET_BASED = re.compile(r"^(?P<key>[^\s!=]+)\s+(?P<operator>in|notin)\s*\((?P<values>[^)]*)\)$")
EQUALITY = re.compile(r"^(?P<key>[^\s!=]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[^\s=!]*)$")
EXISTENCE = re.compile(r"^(?P<not>!?)\s*(?P<key>[^\s!=]+)$")
COMMA_OUTSIDE = re.compile(r",(?![^(]*\))")
FIELDS = {
    "Pod": {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase",
    "status.podIP"},
    "Event": {
        *(f"involvedObject.{name}" for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion",
        "fieldPath")),
        "reason", "reportingComponent", "source", "type",
    },
    "Namespace": {"status.phase"},
    "Secret": {"type"},
    "Node": {"spec.unschedulable"},
    "Job": {"status.successful"},
}  # fmt: skip


def selector(resource: Resource, labels: str, fields: str) -> Test | None:
    """Make one test of both selectors, or None where everything matches; 400 for one that cannot be read."""
    tests = [label_test(part.strip()) for part in COMMA_OUTSIDE.split(labels) if part.strip()]
    tests += [field_test(resource, part.strip()) for part in fields.split(",") if part.strip()]
    return (lambda document: all(test(document) for test in tests)) if tests else None


def label_test(text: str) -> Test:
    if found := SET_BASED.match(text):
        values, wanted = {value.strip() for value in found["values"].split(",")}, found["operator"] == "in"
        return lambda document: (labels_of(document).get(found["key"]) in values) is wanted
    if found := EQUALITY.match(text):
        return lambda document: (labels_of(document).get(found["key"]) == found["value"]) is (found["operator"] != "!=")
    if found := EXISTENCE.match(text):
        return lambda document: (found["key"] in labels_of(document)) is not bool(found["not"])
    raise bad_request(f"unable to parse requirement: {text!r}")


def field_test(resource: Resource, text: str) -> Test:
    found = EQUALITY.match(text)
    if not found:
        raise bad_request(f"invalid selector: '{text}'; can't understand '{text}'")
    field, wanted = found["key"], found["operator"] != "!="
    if field not in FIELDS.get(resource.kind, set()) | {"metadata.name", "metadata.namespace"}:
        raise bad_request(f"field label not supported: {field}")
    path = field.split(".")
    return lambda document: (field_value(document, path) == found["value"]) is wanted


def field_value(document: Any, path: list[str]) -> str:
    for name in path:
        document = (document or {}).get(name)
    return "" if document is None else str(document)


def labels_of(document: Mapping[str, Any]) -> Mapping[str, str]:
    return document["metadata"].get("labels") or {}


def matches(chosen: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Apply a LabelSelector object; None selects nothing, an empty one everything."""
    if chosen is None:
        return False
    equal = all(labels.get(key) == value for key, value in (chosen.get("matchLabels") or {}).items())
    return equal and all(requirement_holds(each, labels) for each in chosen.get("matchExpressions") or [])


def requirement_holds(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """One expression of a label or node selector."""
    value, values = labels.get(requirement["key"]), requirement.get("values") or []
    match requirement["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return value is not None and int(value) > int(values[0])
        case _:
            return value is not None and int(value) < int(values[0])
