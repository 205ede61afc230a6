"""What an event was done to, and what its details say, for people."""

from collections.abc import Iterator, Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tenants.quotas.measures import Measure, shown

_LABELS: Mapping[str, str | Promise] = {
    "action": _("action"),
    "amount": _("how much"),
    "at": _("at"),
    "before": _("older than"),
    "cluster": _("cluster"),
    "count": _("number"),
    "data": _("data"),
    "days": _("days"),
    "engine": _("engine"),
    "files": _("files"),
    "engines": _("engines"),
    "folder": _("folder"),
    "from": _("from"),
    "gpu_class": _("GPU class"),
    "guest": _("with"),
    "instance": _("engine"),
    "kinds": _("kinds"),
    "message": _("message"),
    "model": _("table"),
    "month": _("month"),
    "reason": _("reason"),
    "scope": _("scope"),
    "since": _("from"),
    "starts_at": _("from"),
    "thing": _("thing"),
    "to": _("to"),
    "until": _("until"),
    "via": _("by way of"),
    "volume": _("data"),
    "what": _("what"),
    "who": _("who"),
    "whole_tenant": _("for everybody"),
    "word": _("word"),
}
_LIMITS = frozenset({"quota", "quota_request"})
"""What is named after a measure, and tells amounts in its units."""
_AMOUNTS = frozenset({"amount", "from", "to"})


def thing_of(kind: str, name: str) -> str:
    """Name what an event was done to; the log keeps the measure that a limit's name begins with as a code."""
    measure = _measure(kind, name)
    return name if measure is None else f"{measure.label}{name.removeprefix(measure.value)}"


def told_of(kind: str, name: str, details: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the lines of an event's details, those of a limit with its amounts as people write them."""
    measure = _measure(kind, name)
    if measure is not None:
        amounts = {each: shown(measure, value) for each, value in details.items() if each in _AMOUNTS and isinstance(value, int)}
        details = {**details, **amounts}
    return lines_of(details)


def lines_of(details: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return label and value of each detail; what changed reads as `old → new`."""
    if not {"from", "to"} <= set(details):
        return list(_lines(details))
    rest = {name: value for name, value in details.items() if name not in {"from", "to"}}
    return [(gettext("change"), _change(details)), *_lines(rest)]


def _measure(kind: str, name: str) -> Measure | None:
    code = name.split(" · ", 1)[0]
    return Measure(code) if kind in _LIMITS and code in Measure.values else None


def _lines(details: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in details.items():
        label = str(_LABELS.get(name, name.replace("_", " ")))
        if isinstance(value, Mapping) and set(value) == {"from", "to"}:
            yield label, _change(value)
        elif isinstance(value, Mapping):
            yield from _lines(value)
        else:
            yield label, _text(value)


def _change(value: Mapping[str, object]) -> str:
    return f"{_text(value['from'])} → {_text(value['to'])}"


def _text(value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "–"
    return str(value)
