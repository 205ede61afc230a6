"""Any engine that tells of its work as JSON: a path, and conditions as data under which it is busy."""

from collections.abc import Sequence
from typing import Any

from engines.activity.probes.answer import Answer, busy, free, unknown
from engines.activity.probes.http import get_json
from engines.activity.probes.reading import refusal
from engines.activity.schema import Condition

_NOTHING = object()


def ask(address: str, path: str, conditions: Sequence[Condition], *, deadline: float) -> Answer:
    """Raises NoAnswer."""
    page = get_json(address, path, deadline=deadline)
    return interpret(page.content, path, conditions) if page.status == 200 else unknown(path, refusal(page.status))


def interpret(content: Any, path: str, conditions: Sequence[Condition]) -> Answer:
    """Busy where one condition holds; free only where each could be looked at and none does."""
    seen, strange = [], []
    for condition in conditions:
        value = _at(content, condition.value)
        holds = None if value is _NOTHING else _holds(condition, value)
        if holds:
            return busy(path, f"{condition.value} is {value!r:.60}")
        if holds is None:
            strange.append(condition.value)
        seen.append(f"{condition.value} is {value!r:.60}")
    if strange:
        return unknown(path, f"nothing to compare at {', '.join(strange)}")
    return free(path, ", ".join(seen))


def _at(content: Any, pointer: str) -> Any:
    """Follow a JSON pointer (RFC 6901); _NOTHING where it leads nowhere."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(content, dict):
            content = content.get(name, _NOTHING)
        elif isinstance(content, list) and name.isdecimal() and int(name) < len(content):
            content = content[int(name)]
        else:
            return _NOTHING
    return content


def _holds(condition: Condition, value: Any) -> bool | None:
    """None where the value is not of a kind that can be compared so."""
    if condition.above is not None:
        return value > condition.above if isinstance(value, int | float) and not isinstance(value, bool) else None
    if condition.longer_than is not None:
        return len(value) > condition.longer_than if isinstance(value, list | dict) else None
    if isinstance(value, list | dict):
        return None
    if "equals" in condition.model_fields_set:
        return _same(value, condition.equals)
    return not _same(value, condition.differs_from)


def _same(value: Any, wanted: Any) -> bool:
    """As JSON has it: 1 is 1.0, and neither is true."""
    return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)
