"""Strategic merge patches of Pod templates, as the API server applies them. Pure.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

PATCH = "$patch"
RETAIN_KEYS = "$retainKeys"
DIRECTIVES = frozenset({PATCH, RETAIN_KEYS})

_CONTAINER_LISTS = {"env": "name", "ports": "containerPort", "volumeDevices": "devicePath", "volumeMounts": "mountPath"}
MERGE_KEYS: Mapping[tuple[str, ...], str] = {
    ("spec", "ephemeralContainers"): "name",
    ("spec", "hostAliases"): "ip",
    ("spec", "imagePullSecrets"): "name",
    ("spec", "initContainers"): "name",
    ("spec", "containers"): "name",
    ("spec", "resourceClaims"): "name",
    ("spec", "schedulingGates"): "name",
    ("spec", "topologySpreadConstraints"): "topologyKey",
    ("spec", "volumes"): "name",
} | {
    ("spec", containers, field): key
    for containers in ("containers", "initContainers", "ephemeralContainers")
    for field, key in _CONTAINER_LISTS.items()
}
"""Lists of a Pod template that are merged by a key of their entries; every other list is replaced as a whole."""


class PatchError(ValueError):
    """The patch contradicts itself or lacks what it is merged by."""


def strategic_merge(template: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Pod template with the patch applied; neither is changed. PatchError for a patch that makes no sense."""
    return _merged(template, patch, ())


def _merged(original: Mapping[str, Any], patch: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    directive = patch.get(PATCH, "merge")
    if directive == "replace":
        return _taken({key: value for key, value in patch.items() if key != PATCH}, path)
    if directive == "delete":
        return {}
    if directive != "merge":
        raise PatchError(f"{_where(path)}: {PATCH} must be merge, replace or delete, not {directive!r}")
    result = _retained(original, patch, path)
    for key, value in patch.items():
        if key in DIRECTIVES:
            continue
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _value(result.get(key), value, (*path, key))
    return result


def _value(original: Any, value: Any, path: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        return _merged(original, value, path) if isinstance(original, Mapping) else _taken(value, path)
    if isinstance(value, list) and path in MERGE_KEYS:
        return _merged_list(original if isinstance(original, list) else [], value, path)
    return copy.deepcopy(value)


def _taken(value: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """What a patch adds where nothing was: itself, without nulls and directives."""
    return _merged({}, value, path)


def _retained(original: Mapping[str, Any], patch: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The original, less what `$retainKeys` leaves out."""
    result: dict[str, Any] = copy.deepcopy(dict(original))
    if RETAIN_KEYS not in patch:
        return result
    kept = patch[RETAIN_KEYS]
    added = {key for key, value in patch.items() if value is not None} - DIRECTIVES
    if not isinstance(kept, list) or not added <= set(kept):
        raise PatchError(f"{_where(path)}: {RETAIN_KEYS} must list every key that the patch sets")
    return {key: value for key, value in result.items() if key in kept}


def _merged_list(original: Sequence[Any], patch: Sequence[Any], path: tuple[str, ...]) -> list[Any]:
    key = MERGE_KEYS[path]
    entries = [_keyed(entry, key, path) for entry in patch if not _replaces_all(entry)]
    if len(entries) < len(patch):
        original = []
    result = {entry[key]: copy.deepcopy(entry) for entry in original}
    for entry in entries:
        if entry.get(PATCH) == "delete":
            result.pop(entry[key], None)
        else:
            result[entry[key]] = _merged(result.get(entry[key], {}), entry, path) | {key: entry[key]}
    ours = [entry[key] for entry in entries if entry[key] in result]
    return [
        result[each] for each in _ordered([entry[key] for entry in original if entry[key] in result], list(dict.fromkeys(ours)))
    ]


def _ordered(before: Sequence[Any], patched: Sequence[Any]) -> list[Any]:
    """Put the patched keys in the patch's order and every other before the first patched one that followed it originally."""
    place = {key: index for index, key in enumerate(before)}
    rest, result = [key for key in before if key not in patched], list[Any]()
    for key in patched:
        while rest and key in place and place[rest[0]] < place[key]:
            result.append(rest.pop(0))
        result.append(key)
    return result + rest


def _replaces_all(entry: Any) -> bool:
    return isinstance(entry, Mapping) and entry.get(PATCH) == "replace" and len(entry) == 1


def _keyed(entry: Any, key: str, path: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(entry, Mapping) or not isinstance(entry.get(key), str | int):
        raise PatchError(f"{_where(path)}: every entry must have its “{key}”")
    return entry


def _where(path: tuple[str, ...]) -> str:
    return ".".join(path) or "the patch"
