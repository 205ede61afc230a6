"""Find GameServerSets: in YAML with any number of documents and lists, or in what a Kubernetes API lists."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from engines.adoption.findings import below
from engines.yaml_lines import UNREADABLE, Location, note_lines, refused_features, unreadable

API_VERSION = "game.kruise.io/v1alpha1"
KIND = "GameServerSet"
LIST_PATH = f"/apis/{API_VERSION}/gameserversets"
_LISTS = {"List", f"{KIND}List"}
_LAST_PART = re.compile(r"(\[[^\[\]]*\]|\.?[^.\[\]]+)$")


class AdoptionError(Exception):
    """Nothing can be adopted; `problems` holds one line each, as `file:line: document 2: path.to.field: problem`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Source:
    """One GameServerSet as it was found. `lines` has the line of every path, where there is a file."""

    data: Mapping[str, Any]
    origin: str  # a file's name, or "cluster lab"
    document: int = 0  # counted from 1 within the file; 0 where there is no file
    prefix: str = ""  # where it lies within its document, such as `items[3]`
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its own name, without the namespace."""
        return str(self._metadata.get("name") or "")

    @property
    def namespace(self) -> str:
        """Its namespace; a file that names none means the default one."""
        return str(self._metadata.get("namespace") or "default")

    @property
    def labels(self) -> Mapping[str, Any]:
        """Its own labels, by which AIGC-Gateway chooses what it offers."""
        labels = self._metadata.get("labels")
        return labels if isinstance(labels, Mapping) else {}

    @property
    def _metadata(self) -> Mapping[str, Any]:
        metadata = self.data.get("metadata")
        return metadata if isinstance(metadata, Mapping) else {}

    def __str__(self) -> str:
        where = f"{self.origin}, document {self.document}" if self.document else self.origin
        return f"{self.namespace}/{self.name or '(no name)'} in {where}"

    def problem(self, path: str, text: str) -> str:
        """One line that leads to the place of a problem."""
        inside = f"{self.prefix}.{path}" if self.prefix and path else self.prefix or path
        if not self.document:
            return f"{self.origin}: {self.namespace}/{self.name}: {inside}: {text}"
        return f"{self.origin}:{self._line(inside)}: document {self.document}: {f'{inside}: ' if inside else ''}{text}"

    def _line(self, path: str) -> int:
        """The line of the path, or of the nearest one around it that the file has."""
        while path and path not in self.lines:
            path = _LAST_PART.sub("", path)
        return self.lines[path]


@dataclass(frozen=True)
class Found:
    """The GameServerSets of a place, and one line for each object of another kind that lay beside them."""

    sources: list[Source]
    passed_over: list[str] = field(default_factory=list)


def read_yaml(text: str, name: str) -> Found:
    """Find the GameServerSets of a file called `name`. AdoptionError if it is not sound YAML or holds none."""
    found, problems = Found([]), []
    try:
        problems += [f"{name}:{line}: {problem}" for line, problem in refused_features(text)]
        documents = [] if problems else list(_documents(text, name))
    except UNREADABLE as error:
        line, problem = unreadable(error)
        raise AdoptionError([f"{name}:{line}: {problem}"]) from error
    for document, repeated in documents:
        problems += [document.problem(path, problem) for path, problem in repeated]
        problems += _sort(document, found)
    if not problems and not found.sources:
        beside = f"; it has {', '.join(found.passed_over)}" if found.passed_over else ""
        problems.append(f"{name}:1: holds no GameServerSet{beside}")
    if problems:
        raise AdoptionError(problems)
    return found


def listed(items: Iterable[Mapping[str, Any]], origin: str) -> Found:
    """Take the items that an API lists; they need not repeat the kind of the list."""
    sources = [Source({"apiVersion": API_VERSION, "kind": KIND} | dict(item), origin) for item in items]
    if not sources:
        raise AdoptionError([f"{origin}: has no GameServerSet"])
    return Found(sources)


def chosen(places: Sequence[Found], *, namespaces: Collection[str], labels: Mapping[str, str]) -> list[Found]:
    """Keep what lies in one of the namespaces (in any, if none is given) and has all the labels, as AIGC-Gateway does."""

    def fits(source: Source) -> bool:
        in_namespace = not namespaces or source.namespace in namespaces
        return in_namespace and all(source.labels.get(key) == value for key, value in labels.items())

    kept = [Found([each for each in place.sources if fits(each)], place.passed_over) for place in places]
    if not any(place.sources for place in kept):
        raise AdoptionError(["no GameServerSet has these namespaces and labels"])
    return kept


def _documents(text: str, name: str) -> Iterator[tuple[Source, list[tuple[str, str]]]]:
    """Every document that is not empty, with the keys that it repeats."""
    loader = yaml.SafeLoader(text)
    number = 0
    while loader.check_node() and (node := loader.get_node()) is not None:
        number += 1
        locations: dict[Location, int] = {}
        repeated = [(_path(location), problem) for location, problem in note_lines(node, (), locations)]
        lines = {_path(location): line for location, line in locations.items()} | {"": node.start_mark.line + 1}
        data = loader.construct_document(node)
        if data is not None:
            yield Source(data, name, number, lines=lines), repeated


def _path(location: Location) -> str:
    path = ""
    for part in location:
        path = below(path, part)
    return path


def _sort(document: Source, found: Found) -> list[str]:
    """Put a document, or the items of a list, where it belongs; return what is wrong with it."""
    data = document.data
    if not isinstance(data, Mapping):
        return [document.problem("", "must be a mapping, such as a GameServerSet")]
    if data.get("kind") in _LISTS:
        items = data.get("items")
        if not isinstance(items, list):
            return [document.problem("items", "must be a list")]
        parts = [
            Source(item, document.origin, document.document, below("items", index), document.lines)
            for index, item in enumerate(items)
        ]
        return [problem for part in parts for problem in _sort(part, found)]
    if data.get("kind") != KIND:
        found.passed_over.append(f"{data.get('kind') or 'something without a kind'} in document {document.document}")
        return []
    if data.get("apiVersion") != API_VERSION:
        return [document.problem("apiVersion", f"must be {API_VERSION}; no other version is known")]
    found.sources.append(document)
    return []
