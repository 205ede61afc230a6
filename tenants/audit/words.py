"""What the details of an event say, as lines for people."""

from collections.abc import Iterator, Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

_LABELS: Mapping[str, str | Promise] = {
    "action": _("action"),
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
}


def lines_of(details: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return label and value of each detail; what changed reads as `old → new`."""
    if not {"from", "to"} <= set(details):
        return list(_lines(details))
    rest = {name: value for name, value in details.items() if name not in {"from", "to"}}
    return [(gettext("change"), _change(details)), *_lines(rest)]


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
