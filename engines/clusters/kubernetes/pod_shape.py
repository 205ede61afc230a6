"""Whether a patch has the shape of a Pod template, after the types of the official client. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from engines.clusters.kubernetes.patch import DIRECTIVES, MERGE_KEYS

_SCALARS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "text, in quotes"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "datetime": ((str,), "a moment, in quotes"),
}
_JSON = (str, int, float, list, Mapping)


def shape_problems(patch: Any) -> Iterator[str]:
    """Yield what is no field of a Pod template or has the wrong type, each with its path; null is right anywhere."""
    yield from _problems(patch, "V1PodTemplateSpec", ())


def _problems(value: Any, kind: str, path: tuple[str, ...]) -> Iterator[str]:
    container = re.fullmatch(r"(list|dict)\[(?:str, )?(.+)\]", kind)
    if kind == "object":
        if not isinstance(value, _JSON):
            yield f"{place(path)} must be text, a number, a list or pairs"
    elif container and container[1] == "list":
        yield from _list_problems(value, container[2], path)
    elif container:
        yield from _dict_problems(value, container[2], path)
    elif kind in _SCALARS:
        types, expected = _SCALARS[kind]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            yield f"{place(path)} must be {expected}"
    else:
        yield from _object_problems(value, kind, path)


def _list_problems(value: Any, kind: str, path: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{place(path)} must be a list"
        return
    for index, each in enumerate(value):
        if each != {"$patch": "replace"}:
            yield from _problems(each, kind, (*path, entry_name(each, path, index)))


def _dict_problems(value: Any, kind: str, path: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{place(path)} must be pairs"
        return
    for key, each in value.items():
        if not isinstance(key, str):
            yield f"{place(path)}: {key} must be text, in quotes"
        elif each is not None and key not in DIRECTIVES:
            yield from _problems(each, kind, (*path, key))


def _object_problems(value: Any, kind: str, path: tuple[str, ...]) -> Iterator[str]:
    from kubernetes.client import models  # noqa: PLC0415 - a third of a second that only saving a patch is worth

    model: Any = getattr(models, kind)
    kinds = {model.attribute_map[name]: each for name, each in model.openapi_types.items()}
    if not isinstance(value, Mapping):
        yield f"{place(path)} must be pairs"
        return
    for key, each in value.items():
        if key in DIRECTIVES:
            continue
        if key not in kinds:
            yield f"{place((*path, str(key)))} is not a field that a Pod has"
        elif each is not None:
            yield from _problems(each, kinds[key], (*path, key))


def entry_name(entry: Any, path: tuple[str, ...], index: int) -> str:
    """Name an entry of a list by what it is merged by, or else by its number."""
    key = MERGE_KEYS.get(tuple(part for part in path if not part.startswith("[")))
    name = entry.get(key) if key and isinstance(entry, Mapping) else None
    return f"[{index + 1 if name is None else name}]"


def place(path: tuple[str, ...]) -> str:
    """Write a path as people do: spec.containers[engine].env[HF_HOME]."""
    return "".join(part if part.startswith("[") else f".{part}" for part in path).lstrip(".") or "the patch"
