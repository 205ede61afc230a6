"""Read catalog files: YAML in, a validated `Catalog` out, or every problem with its file, line and path."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from engines.catalog_schema import Catalog, keys_at
from engines.yaml_lines import UNREADABLE, Location, in_words, note_lines, refused_features, unreadable


class CatalogError(Exception):
    """Catalog files cannot be used; `problems` holds one line each, as `file:line: path.to.field: problem`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Known:
    """What a file may refer to without holding it, because it was loaded before."""

    gpu_classes: frozenset[str] = frozenset()
    versions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """engine slug → the names of its versions"""


class _Problem(NamedTuple):
    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@dataclass(frozen=True)
class _Document:
    path: Path
    data: Any
    lines: Mapping[Location, int]

    def line(self, location: Location) -> int:
        """The line of the value, or of the nearest one around it that the file has."""
        return next(self.lines[location[:n]] for n in range(len(location), -1, -1) if location[:n] in self.lines)

    def problem(self, location: Location, text: str) -> _Problem:
        where = in_words(location)
        return _Problem(self.path, self.line(location), f"{where}: {text}" if where else text)

    def rows(self, *sections: str) -> Iterator[tuple[Location, dict[Any, Any]]]:
        """Walk the mappings of nested lists, passing over what has the wrong shape: the schema reports that."""
        found: list[tuple[Location, Any]] = [((), self.data)]
        for section in sections:
            found = [
                ((*location, section, index), row)
                for location, parent in found
                if isinstance(parent, dict) and isinstance(parent.get(section), list)
                for index, row in enumerate(parent[section])
            ]
        return ((location, row) for location, row in found if isinstance(row, dict))


def read_catalog(path: Path, *more: Path, known: Known | None = None) -> Catalog:
    """Read one catalog from one or more files, which may refer to each other and to what is `known`."""
    paths = [path, *more]
    documents: list[_Document] = []
    problems: list[_Problem] = []
    for each in paths:
        document, found = _parse(each)
        problems += found
        documents += [document] if not found else []
    for document in documents:
        problems += _schema_problems(document)
    problems += _repeated(documents)
    problems += _unknown_references(documents, known or Known())
    if problems:
        problems.sort(key=lambda problem: (paths.index(problem.path), problem.line))
        raise CatalogError([str(problem) for problem in problems])
    catalogs = [Catalog.model_validate(document.data) for document in documents]
    return Catalog(
        engines=[engine for catalog in catalogs for engine in catalog.engines],
        gpu_classes=[gpu_class for catalog in catalogs for gpu_class in catalog.gpu_classes],
        clusters=[cluster for catalog in catalogs for cluster in catalog.clusters],
    )


def _parse(path: Path) -> tuple[_Document, list[_Problem]]:
    lines: dict[Location, int] = {(): 1}
    nothing = _Document(path, {}, lines)
    try:
        text = path.read_text(encoding="utf-8")
        refused = [_Problem(path, line, problem) for line, problem in refused_features(text)]
        if refused:
            return nothing, refused
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return nothing, []
        noted = list(note_lines(node, (), lines))
        if noted:
            return nothing, [nothing.problem(*each) for each in noted]
        return _Document(path, loader.construct_document(node), lines), []
    except UNREADABLE as error:
        line, text = unreadable(error)
        return nothing, [_Problem(path, line, text)]


def _schema_problems(document: _Document) -> list[_Problem]:
    try:
        Catalog.model_validate(document.data)
    except ValidationError as error:
        return [_in_words(document, details) for details in error.errors(include_url=False)]
    return []


def _in_words(document: _Document, details: ErrorDetails) -> _Problem:
    location = tuple(part for part in details["loc"] if part != "[key]")
    match details["type"]:
        case "missing":
            text = "is required"
        case "extra_forbidden":
            text = "is not a known key" + _did_you_mean(str(location[-1]), keys_at(location[:-1]))
        case "string_type":
            text = "must be text; put it in quotes"
        case "model_type" | "model_attributes_type":
            text = f"must be a mapping of {', '.join(keys_at(location))}"
        case "tuple_type":
            text = "must be a list"
        case "value_error":
            text = str(details["ctx"]["error"])
        case _:
            text = "must" + details["msg"].partition(" should")[2] if " should" in details["msg"] else details["msg"]
    return document.problem(location, text)


def _did_you_mean(word: str, words: list[str]) -> str:
    near = difflib.get_close_matches(word, words, n=1)
    return f"; did you mean “{near[0]}”?" if near else ""


def _repeated(documents: list[_Document]) -> Iterator[_Problem]:
    """Report names used twice, in one file or in several, and engines with two defaults."""
    first: dict[tuple[str, ...], str] = {}
    for document in documents:
        for location, name in _named(document):
            if name in first:
                yield document.problem(location, f"{name[-1]} is already defined at {first[name]}")
            first.setdefault(name, f"{document.path}:{document.line(location)}")
        for location, _ in document.rows("engines"):
            versions = [row for where, row in document.rows("engines", "versions") if where[:2] == location]
            if sum(row.get("default") is True for row in versions) > 1:
                yield document.problem((*location, "versions"), "only one version may be the default")


def _named(document: _Document) -> Iterator[tuple[Location, tuple[str, ...]]]:
    """Yield the location and the unique name of every entry; the last part of a name is for people."""
    for section, kind in (("engines", "engine"), ("gpu_classes", "GPU class"), ("clusters", "cluster")):
        for location, row in document.rows(section):
            if isinstance(row.get("slug"), str):
                yield (*location, "slug"), (section, f"{kind} “{row['slug']}”")
    for location, row in document.rows("engines", "versions"):
        if isinstance(row.get("version"), str):
            # Versions of an engine that is itself defined twice are not reported a second time.
            own = f"{document.path}:{location[1]}"
            yield (*location, "version"), (own, f"version “{row['version']}” of {_engine_of(document, location)}")


def _engine_of(document: _Document, location: Location) -> str:
    engine = document.data["engines"][location[1]]
    return str(engine.get("slug", f"engine {location[1]}"))


def _unknown_references(documents: list[_Document], known: Known) -> Iterator[_Problem]:
    classes = set(known.gpu_classes)
    versions = {slug: set(names) for slug, names in known.versions.items()}
    for document in documents:
        classes.update(str(row.get("slug")) for _, row in document.rows("gpu_classes"))
        for location, row in document.rows("engines", "versions"):
            versions.setdefault(_engine_of(document, location), set()).add(str(row.get("version")))
    for document in documents:
        for location, row in document.rows("clusters", "slots"):
            name = row.get("gpu_class")
            if isinstance(name, str) and name not in classes:
                hint = _did_you_mean(name, sorted(classes))
                yield document.problem((*location, "gpu_class"), f"there is no GPU class “{name}”{hint}")
        yield from _unknown_older_versions(document, versions)


def _unknown_older_versions(document: _Document, versions: Mapping[str, set[str]]) -> Iterator[_Problem]:
    for location, row in document.rows("engines", "versions"):
        older = row.get("migrates_from")
        engine = _engine_of(document, location)
        for index, name in enumerate(older if isinstance(older, list) else []):
            if isinstance(name, str) and (name == row.get("version") or name not in versions[engine]):
                where = (*location, "migrates_from", index)
                yield document.problem(where, f"“{name}” is not another version of {engine}")
