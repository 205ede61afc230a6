"""A documented part of the CEL in which device classes and claims select devices. Pure.

Understood are conditions joined by `&&`, each one of

    device.driver == 'gpu.nvidia.com'
    device.attributes['gpu.nvidia.com'].productName == 'NVIDIA L4'          also !=, <, <=, >, >=; text, numbers, true and false
    device.attributes['gpu.nvidia.com'].productName.startsWith('NVIDIA')    also endsWith, contains, matches
    device.capacity['gpu.nvidia.com'].memory.compareTo(quantity('24Gi')) >= 0
    device.capacity['gpu.nvidia.com'].memory.isGreaterThan(quantity('24Gi'))   also isLessThan

Everything else raises NotUnderstood: nobody counts devices by half a condition. See "CEL in Kubernetes" and "Dynamic Resource
Allocation" in Kubernetes' documentation for the whole language.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engines.clusters.kubernetes.quantities import quantity


class NotUnderstood(Exception):
    """The expression uses more of CEL than is understood here."""


@dataclass(frozen=True)
class Device:
    """One device of a ResourceSlice."""

    driver: str
    pool: str
    name: str
    node: str  # empty for a device that every node of the cluster may use
    attributes: Mapping[str, Any]  # "domain/name" → text, number or truth
    capacity: Mapping[str, str]  # "domain/name" → quantity


_STRING = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_FIELD = rf"device\.(?P<kind>attributes|capacity)\[(?P<domain>{_STRING})\]\.(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
_COMPARES: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_SIGN = "(?P<sign>==|!=|>=|<=|>|<)"
_LITERAL = rf"(?P<literal>{_STRING}|-?[0-9]+|true|false)"
_DRIVER = re.compile(rf"device\.driver\s*{_SIGN}\s*{_LITERAL}")
_PLAIN = re.compile(rf"{_FIELD}\s*{_SIGN}\s*{_LITERAL}")
_TEXT = re.compile(rf"{_FIELD}\.(?P<test>startsWith|endsWith|contains|matches)\((?P<literal>{_STRING})\)")
_COMPARED = re.compile(rf"{_FIELD}\.compareTo\(\s*quantity\((?P<literal>{_STRING})\)\s*\)\s*{_SIGN}\s*0")
_THAN = re.compile(rf"{_FIELD}\.(?P<test>isGreaterThan|isLessThan)\(\s*quantity\((?P<literal>{_STRING})\)\s*\)")
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": lambda text, part: part in text,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
}


def selects(expression: str, device: Device) -> bool:
    """Tell whether the expression selects the device. One that asks for what the device does not have does not select it."""
    return all(_holds(condition, device) for condition in _conditions(expression))


def _conditions(expression: str) -> list[str]:
    """Split at `&&` outside of strings; parentheses around a whole condition mean nothing."""
    parts = re.split(rf"({_STRING})|(&&)", expression.strip())
    conditions = [""]
    for part in parts:
        if part == "&&":
            conditions.append("")
        elif part:
            conditions[-1] += part
    return [_bare(each) for each in conditions]


def _bare(condition: str) -> str:
    condition = condition.strip()
    while condition.startswith("(") and condition.endswith(")"):
        condition = condition[1:-1].strip()
    return condition


def _holds(condition: str, device: Device) -> bool:
    if found := _DRIVER.fullmatch(condition):
        return _compare(found["sign"], device.driver, _literal(found["literal"]))
    if found := _PLAIN.fullmatch(condition):
        return _compare(found["sign"], _attribute(found, device), _literal(found["literal"]))
    if found := _TEXT.fullmatch(condition):
        value = _attribute(found, device)
        return isinstance(value, str) and _TESTS[found["test"]](value, str(_literal(found["literal"])))
    if found := _COMPARED.fullmatch(condition):
        return _compare(found["sign"], _capacity(found, device), quantity(_literal(found["literal"])))
    if found := _THAN.fullmatch(condition):
        sign = ">" if found["test"] == "isGreaterThan" else "<"
        return _compare(sign, _capacity(found, device), quantity(_literal(found["literal"])))
    raise NotUnderstood(condition)


def _attribute(found: re.Match[str], device: Device) -> Any:
    if found["kind"] != "attributes":
        raise NotUnderstood(found[0])
    return device.attributes.get(f"{_literal(found['domain'])}/{found['name']}")


def _capacity(found: re.Match[str], device: Device) -> object:
    if found["kind"] != "capacity":
        raise NotUnderstood(found[0])
    given = device.capacity.get(f"{_literal(found['domain'])}/{found['name']}")
    return None if given is None else quantity(given)


def _compare(sign: str, one: object, other: object) -> bool:
    try:
        return one is not None and _COMPARES[sign](one, other)
    except TypeError:
        return False


def _literal(text: str) -> Any:
    if text[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return {"true": True, "false": False}.get(text) if text in {"true", "false"} else int(text)
