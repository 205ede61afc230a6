"""JSON patch (RFC 6902), merge patch (RFC 7396) and strategic merge patch."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.kubernetes.double.errors import bad_request, unprocessable
from tests.kubernetes.double.fields import LIST_KEYS, SETS
from tests.kubernetes.double.resources import Document

MISSING = object()
# Where a strategic merge patch goes by one key and server-side apply by two.
STRATEGIC_KEYS = {name: keys[0] for name, keys in LIST_KEYS.items()} | {"ports": "containerPort", "tolerations": ""}


def clone(value: Any) -> Any:
    """Copy what JSON can hold; several times as fast as copy.deepcopy."""
    if isinstance(value, dict):
        return {key: clone(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [clone(inner) for inner in value]
    return value


def json_patch(document: Document, operations: Any) -> Document:
    """Apply all operations or none; 422 for a failed test or a path that is not there, 400 for what is no patch."""
    if not isinstance(operations, list):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    holder = {"root": clone(document)}
    for operation in operations:
        try:
            OPERATIONS[operation["op"]](holder, operation)
        except KeyError as error:
            raise bad_request(f"invalid JSON patch: {error}") from error
    return holder["root"]


def locate(holder: Document, pointer: str) -> tuple[Any, str]:
    """Walk to the parent of a pointer's target."""
    names = [name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:]]
    parent: Any = holder
    for name in ["root", *names][:-1]:
        parent = child(parent, name)
        if parent is MISSING or not isinstance(parent, dict | list):
            raise unprocessable()
    return parent, ["root", *names][-1]


def child(parent: Any, name: str) -> Any:
    if isinstance(parent, dict):
        return parent.get(name, MISSING)
    return parent[int(name)] if name.isdigit() and int(name) < len(parent) else MISSING


def add(holder: Document, operation: Mapping[str, Any]) -> None:
    parent, name = locate(holder, operation["path"])
    value = clone(operation["value"])
    if isinstance(parent, dict):
        parent[name] = value
    elif name == "-" or (name.isdigit() and int(name) <= len(parent)):
        parent.insert(len(parent) if name == "-" else int(name), value)
    else:
        raise unprocessable()


def remove(holder: Document, operation: Mapping[str, Any]) -> None:
    parent, name = locate(holder, operation["path"])
    if child(parent, name) is MISSING:
        raise unprocessable()
    del parent[name if isinstance(parent, dict) else int(name)]


def replace(holder: Document, operation: Mapping[str, Any]) -> None:
    value = clone(operation["value"])
    parent, name = locate(holder, operation["path"])
    if child(parent, name) is MISSING:
        raise unprocessable()
    parent[name if isinstance(parent, dict) else int(name)] = value


def test(holder: Document, operation: Mapping[str, Any]) -> None:
    """Compare; a path that is not there equals null, as in the library that the real server uses."""
    value = operation["value"]
    parent, name = locate(holder, operation["path"])
    found = child(parent, name)
    if (None if found is MISSING else found) != value:
        raise unprocessable()


def move(holder: Document, operation: Mapping[str, Any]) -> None:
    copy(holder, operation)
    remove(holder, {"path": operation["from"]})


def copy(holder: Document, operation: Mapping[str, Any]) -> None:
    parent, name = locate(holder, operation["from"])
    if child(parent, name) is MISSING:
        raise unprocessable()
    add(holder, {"path": operation["path"], "value": child(parent, name)})


OPERATIONS: dict[str, Callable[[Document, Mapping[str, Any]], None]] = {
    "add": add, "remove": remove, "replace": replace, "test": test, "move": move, "copy": copy,
}  # fmt: skip


def merge_patch(document: Any, patch: Any) -> Any:
    """Objects are merged, null removes, everything else replaces."""
    if not isinstance(patch, Mapping):
        return clone(patch)
    merged = dict(document) if isinstance(document, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def strategic_merge_patch(document: Any, patch: Any, name: str = "") -> Any:
    """As a merge patch, but lists of named things are merged by their names."""
    if isinstance(patch, list):
        return strategic_list(document if isinstance(document, list) else [], patch, name)
    if not isinstance(patch, Mapping):
        return clone(patch)
    directive = patch.get("$patch")
    merged = dict(document) if isinstance(document, Mapping) and directive != "replace" else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif not key.startswith("$"):
            merged[key] = strategic_merge_patch(merged.get(key), value, key)
    return merged


def strategic_list(items: list[Any], patch: list[Any], name: str) -> list[Any]:
    if name in SETS:
        return items + [item for item in patch if item not in items]
    key = STRATEGIC_KEYS.get(name)
    if name == "ports" and not any("containerPort" in item for item in patch):
        key = "port"
    if not key:
        return clone(patch)
    merged = {item.get(key): item for item in items}
    for item in patch:
        if item.get("$patch") == "delete":
            merged.pop(item.get(key), None)
        else:
            merged[item.get(key)] = strategic_merge_patch(merged.get(item.get(key)), item)
    return list(merged.values())
