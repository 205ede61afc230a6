"""Which field belongs to whom: documents as flat sets of paths, as managedFields writes them.

Server-side apply merges lists by keys and treats others as one value; which is which comes from the OpenAPI schema of each
kind (`x-kubernetes-list-map-keys`, `x-kubernetes-map-type`), of which this knows the kinds that are applied here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.kubernetes.double.resources import Document

Path = tuple[str, ...]  # elements as in FieldsV1: 'f:spec', 'k:{"name":"engine"}', 'v:"x"'
Flat = dict[Path, Any]
ITEM = object()  # the value of a path that says "this item is in the list"

LIST_KEYS = {
    "containers": ("name",), "initContainers": ("name",), "ephemeralContainers": ("name",), "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",), "volumeDevices": ("devicePath",), "imagePullSecrets": ("name",), "secrets": ("name",),
    "conditions": ("type",), "ownerReferences": ("uid",), "hostAliases": ("ip",), "resourceClaims": ("name",),
    "claims": ("name",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"), "addresses": ("type",),
}  # fmt: skip
SETS = {"finalizers"}
ATOMIC = {
    "selector", "nodeSelector", "podSelector", "namespaceSelector", "labelSelector", "secretKeyRef", "configMapKeyRef",
    "fieldRef",
    "resourceFieldRef", "nodeSelectorTerms", "scopeSelector",
}  # fmt: skip
NOBODYS = {
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields", "selfLink", "generateName",
}  # fmt: skip


def list_keys(kind: str, path: Sequence[str]) -> tuple[str, ...] | None:
    """Give the keys by which a list of objects is merged, None for one that is a single value."""
    name = path[-1].removeprefix("f:")
    if name != "ports":
        return LIST_KEYS.get(name)
    if kind == "Service":
        return ("port", "protocol")
    return ("containerPort", "protocol") if "f:containers" in path or "f:initContainers" in path else None


def item_key(keys: tuple[str, ...], item: Mapping[str, Any]) -> str:
    """Name a list's item; `protocol` has a default in the schema."""
    chosen = {key: item.get(key, "TCP" if key == "protocol" else None) for key in keys}
    return "k:" + json.dumps(chosen, separators=(",", ":"), sort_keys=True)


def flatten(kind: str, document: Document, *, only_status: bool | None = False) -> Flat:
    """Every leaf of a document that somebody can own; `only_status` chooses status, all but status, or (None) both."""
    flat: Flat = {}
    for name, value in document.items():
        if name in ("apiVersion", "kind") or (only_status is not None and (name == "status") is not only_status):
            continue
        kept = {key: inner for key, inner in value.items() if key not in NOBODYS} if name == "metadata" else value
        if kept or name != "metadata":
            walk(kind, kept, (f"f:{name}",), flat)
    return flat


def walk(kind: str, value: Any, path: Path, flat: Flat) -> None:
    if isinstance(value, Mapping) and value and path[-1].removeprefix("f:") not in ATOMIC:
        for name, inner in value.items():
            walk(kind, inner, (*path, f"f:{name}"), flat)
    elif isinstance(value, list) and (keys := list_keys(kind, path)):
        for item in value:
            here = (*path, item_key(keys, item))
            flat[here] = ITEM
            for name, inner in item.items():
                walk(kind, inner, (*here, f"f:{name}"), flat)
    elif isinstance(value, list) and path[-1].removeprefix("f:") in SETS:
        flat |= {(*path, "v:" + json.dumps(item)): ITEM for item in value}
    else:
        flat[path] = value


def encode(paths: set[Path]) -> Document:
    """Write a set of paths as FieldsV1."""
    tree: Document = {}
    for path in sorted(paths):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        if path[-1].startswith("k:"):
            node["."] = {}
    return tree


def decode(tree: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    """Read FieldsV1 back."""
    for element, inner in tree.items():
        if element == ".":
            yield path
        elif inner:
            yield from decode(inner, (*path, element))
        else:
            yield (*path, element)


def spoken(path: Path) -> str:
    """Write a path as conflicts name it: `.spec.containers[name="engine"].image`."""
    words = []
    for element in path:
        if element.startswith("f:"):
            words.append("." + element[2:])
        elif element.startswith("k:"):
            keys = json.loads(element[2:])
            words.append("[" + ",".join(f"{key}={json.dumps(value)}" for key, value in keys.items()) + "]")
        else:
            words.append(f"[={element[2:]}]")
    return "".join(words)


def merge(kind: str, live: Any, applied: Any, path: Path = ()) -> Any:
    """Lay an applied document over a live one, lists by their keys."""
    if isinstance(live, Mapping) and isinstance(applied, Mapping) and not (path and path[-1].removeprefix("f:") in ATOMIC):
        merged = dict(live)
        for name, value in applied.items():
            merged[name] = merge(kind, live[name], value, (*path, f"f:{name}")) if name in live else value
        return merged
    if isinstance(live, list) and isinstance(applied, list) and path:
        if keys := list_keys(kind, path):
            return merge_items(kind, live, applied, path, keys)
        if path[-1].removeprefix("f:") in SETS:
            return live + [item for item in applied if item not in live]
    return applied


def merge_items(kind: str, live: list[Any], applied: list[Any], path: Path, keys: tuple[str, ...]) -> list[Any]:
    merged = {item_key(keys, item): item for item in live}
    for item in applied:
        key = item_key(keys, item)
        merged[key] = merge(kind, merged[key], item, (*path, key)) if key in merged else item
    return list(merged.values())


def without(document: Any, path: Path) -> Any:
    """Take one path out, and what is empty without it."""
    element, rest = path[0], path[1:]
    if element.startswith("f:") and isinstance(document, Mapping):
        name = element[2:]
        if name not in document:
            return document
        inner = without(document[name], rest) if rest else None
        gone = not rest or inner in ({}, [])
        return {key: inner if key == name else value for key, value in document.items() if key != name or not gone}
    if element.startswith("v:") and isinstance(document, list):
        return [item for item in document if item != json.loads(element[2:])]
    if element.startswith("k:") and isinstance(document, list):
        return without_item(document, json.loads(element[2:]), rest)
    return document


def without_item(items: list[Any], keys: Mapping[str, Any], rest: Path) -> list[Any]:
    kept = []
    for item in items:
        hit = item_key(tuple(keys), item) == "k:" + json.dumps(keys, separators=(",", ":"), sort_keys=True)
        if hit and rest:
            kept.append(without(item, rest))
        elif not hit:
            kept.append(item)
    return kept
