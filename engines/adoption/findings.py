"""What the report of an adoption is made of: findings, and the reader of a document that forgets no field."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter, ValidationError


class Decider(StrEnum):
    """Who has to decide something before what was adopted can be offered."""

    NOBODY = "nobody"  # the portal does the same in another way, or nothing depends on it
    OPERATOR = "operator"  # whoever keeps the catalog
    CLUSTER = "cluster administrator"
    IMAGE = "image builder"


@dataclass(frozen=True)
class Finding:
    """One field that was not carried over as it is written, where it is, and who decides what becomes of it."""

    path: str
    text: str
    decider: Decider = Decider.NOBODY

    def __str__(self) -> str:
        asked = "" if self.decider == Decider.NOBODY else f" ({self.decider})"
        return f"{self.path}: {self.text}{asked}"


@dataclass
class Notes:
    """What is found while one GameServerSet is read; `refusals` are what makes it useless as a catalog entry."""

    findings: list[Finding] = field(default_factory=list)
    refusals: list[Finding] = field(default_factory=list)

    def note(self, path: str, text: str, decider: Decider = Decider.NOBODY) -> None:
        """Report a field that is not carried over as it is written."""
        self.findings.append(Finding(path, text, decider))

    def refuse(self, path: str, text: str) -> None:
        """Report a field without which, or with which, there can be no catalog entry."""
        self.refusals.append(Finding(path, text))


def below(path: str, key: str | int) -> str:
    """The path of what a key or index leads to; keys that hold dots themselves stand in brackets, as indices do."""
    if isinstance(key, int) or "." in key or "/" in key:
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


Reasons = Mapping[str, tuple[str, Decider]]
"""Field → why it is not carried over, and who decides."""

ELSEWHERE = "has no place in the catalog and is not carried over"


class Fields:
    """A mapping of the document, which remembers what was read of it, so that the rest can be reported."""

    def __init__(self, value: Any, path: str, notes: Notes) -> None:
        if value is not None and not isinstance(value, Mapping):
            notes.refuse(path, "must be a mapping")
        self._value: dict[str, Any] = dict(value) if isinstance(value, Mapping) else {}
        self._unread = [key for key, each in self._value.items() if not _says_nothing(each)]
        self.path = path
        self.notes = notes

    def at(self, key: str) -> str:
        """The path of a field."""
        return below(self.path, key)

    def take(self, *keys: str) -> Any:
        """Read a field, or the first of several, and count all of them as dealt with."""
        self._unread = [key for key in self._unread if key not in keys]
        return self._value.get(keys[0])

    def peek(self, key: str) -> Any:
        """A field, without counting it as dealt with."""
        return self._value.get(key)

    def peek_mappings(self, key: str) -> list[Mapping[str, Any]]:
        """A list of mappings, as it is written and without counting it as dealt with."""
        value = self._value.get(key)
        return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []

    def __bool__(self) -> bool:
        """Whether the document has it, and anything in it."""
        return bool(self._value)

    def text(self, key: str) -> str:
        """A field that must be text; empty if it is missing."""
        value = self.take(key)
        if value is not None and not isinstance(value, str):
            self.notes.refuse(self.at(key), "must be text; put it in quotes")
        return value if isinstance(value, str) else ""

    def texts(self, key: str) -> list[str]:
        """A field that must be a list of texts."""
        value = self.take(key) or []
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self.notes.refuse(self.at(key), "must be a list of texts; put numbers and words such as yes in quotes")
            return []
        return list(value)

    def mapping(self, key: str) -> "Fields":
        """A field that is a mapping; empty if it is missing."""
        return Fields(self.take(key), self.at(key), self.notes)

    def mappings(self, key: str) -> list["Fields"]:
        """A field that is a list of mappings; empty if it is missing."""
        value = self.take(key) or []
        if not isinstance(value, list):
            self.notes.refuse(self.at(key), "must be a list")
            return []
        return [Fields(each, below(self.at(key), index), self.notes) for index, each in enumerate(value)]

    def unread(self) -> Iterator[tuple[str, Any]]:
        """The fields that say something and that nobody has read yet; they count as read now."""
        left, self._unread = self._unread, []
        return ((key, self._value[key]) for key in left)

    def report_rest(self, reasons: Reasons | None = None, *, defaults: Mapping[str, Any] | None = None) -> None:
        """Report every field that nobody has read, but for those that only spell out what is so anyway."""
        for key, value in self.unread():
            if defaults is not None and key in defaults and defaults[key] in (value, ...):
                continue
            text, decider = (reasons or {}).get(key, (ELSEWHERE, Decider.NOBODY))
            self.notes.note(self.at(key), text, decider)


def _says_nothing(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, Mapping | list | str) and not value)


def misfit(kind: Any, value: object) -> str:
    """Say why a value is not what a field of the catalog may hold, such as `catalog_schema.Image`; empty if it is."""
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        return (
            str(details["ctx"]["error"])
            if details["type"] == "value_error"
            else details["msg"].replace("Input should be", "must be")
        )
    return ""
