"""By what costs can be told apart and filtered: the names that programs and addresses use, and the fields behind them.

Filters are written as Kubecost writes them: `gpu_class:"h100","l4"+tag!:""+user~:"ann"`. A plus sign is "and", a comma is "or";
`:` is equal, `!:` is not equal, `~:` contains; the empty text stands for "has none".
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Q

OF_SUMS: Mapping[str, str] = {
    "tenant": "tenant__slug",
    "user": "owner__username",
    "instance": "instance__slug",
    "volume": "volume__slug",
    "engine": "instance__engine_version__engine__slug",
    "gpu_class": "gpu_class__slug",
    "storage_class": "storage_class",
    "project": "tag",
    "tag": "tag",
    "charge_category": "category",
}
"""Dimensions, and where sums by day and charges have them."""
OF_USAGE: Mapping[str, str] = {**OF_SUMS, "charge_category": "kind"}
NOT_IN_MONTHS = frozenset({"instance", "volume", "engine"})
"""What sums by month do not know."""
LIMIT = 20
"""Conditions of a filter, and values of a condition, at most."""

_VALUE = r'"[^"]*"'
_CONDITION = re.compile(rf"(?P<name>[a-z_]+)(?P<sign>!:|~:|:)(?P<values>{_VALUE}(?:,{_VALUE})*)")
_NULLABLE = frozenset({"user", "instance", "volume", "engine", "gpu_class"})


class UnknownDimension(ValueError):
    """There is nothing of this name; `name` says which."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class NotAFilter(ValueError):
    """The text is not written as filters are."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One dimension that is, is not, or contains one of these values."""

    name: str
    sign: str  # ":", "!:" or "~:"
    values: tuple[str, ...]

    def on(self, fields: Mapping[str, str]) -> Q:
        """Say it of rows that have the dimensions under these names."""
        field = fields[self.name]
        if self.sign == "~:":
            found = Q()
            for value in self.values:
                found |= Q(**{f"{field}__icontains": value})
            return found
        found = Q(**{f"{field}__in": self.values})
        if "" in self.values and self.name in _NULLABLE:
            found |= Q(**{f"{field}__isnull": True})
        return ~found if self.sign == "!:" else found


Conditions = tuple[Condition, ...]


def read_filter(text: str) -> Conditions:
    """Read a filter; the empty text asks for everything. Raises NotAFilter, and UnknownDimension."""
    conditions: list[Condition] = []
    at = 0
    while at < len(text):
        found = _CONDITION.match(text, at)
        if found is None or len(conditions) == LIMIT:
            raise NotAFilter(text)
        values = tuple(value[1:-1] for value in re.findall(_VALUE, found["values"]))
        if len(values) > LIMIT or (found["sign"] == "~:" and "" in values):
            raise NotAFilter(text)
        _require_known([found["name"]])
        conditions.append(Condition(found["name"], found["sign"], values))
        at = found.end()
        if at < len(text):
            if text[at] != "+" or at + 1 == len(text):
                raise NotAFilter(text)
            at += 1
    return tuple(conditions)


def write_filter(conditions: Conditions) -> str:
    """Write what `read_filter` reads; no value may have a quotation mark."""
    return "+".join(each.name + each.sign + ",".join(f'"{value}"' for value in each.values) for each in conditions)


def read_dimensions(text: str) -> tuple[str, ...]:
    """Read names joined by commas, each once, in their order; `all` and nothing divide nothing. Raises UnknownDimension."""
    names = () if text in {"", "all"} else tuple(dict.fromkeys(text.split(",")))
    _require_known(names)
    return names


def all_of(conditions: Iterable[Condition], fields: Mapping[str, str]) -> Q:
    """Join conditions."""
    found = Q()
    for condition in conditions:
        found &= condition.on(fields)
    return found


def _require_known(names: Iterable[str]) -> None:
    for name in names:
        if name not in OF_SUMS:
            raise UnknownDimension(name)
