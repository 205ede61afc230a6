"""What is printed: tables, JSON, amounts and times; colours on a terminal only.

Names and logs come from other people and from engines: what could steer a terminal is taken out of them.
"""

import json
import os
import re
import sys
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TextIO

import typer

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Colours (ESC [ … m), tabs and line ends are harmless, and logs have them.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STEERING = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?"  # ESC [ … letter, ESC ] … BEL, ESC and one more
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
COLOURS = {"running": "green", "coming": "yellow", "failed": "red", "paused": "bright_black"}


def is_colourful(stream: TextIO) -> bool:
    """Tell whether colours may be sent there: see no-color.org."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(text: str) -> None:
    """Tell the person something; the results of commands go elsewhere."""
    typer.echo(plain(text), err=True)


def show(text: str) -> None:
    """Print a line of the result."""
    typer.echo(text, color=is_colourful(sys.stdout))


def show_json(value: Any) -> None:
    """Print what the API sent, as JSON."""
    typer.echo(json.dumps(value, ensure_ascii=not _writes_all(), indent=2))


def show_table(titles: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str) -> None:
    """Print rows below their titles; a sentence if there are none, which is no result and goes to the other stream."""
    if not rows:
        say(empty)
        return
    texts = [list(titles), *([_cell(each) for each in row] for row in rows)]
    widths = [max(_width(row[column]) for row in texts) for column in range(len(titles))]
    for row in texts:
        show("  ".join(text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=True)).rstrip())


def show_facts(facts: Sequence[tuple[str, Any]]) -> None:
    """Print names and values below one another, without those that have no value."""
    known = [(name, _cell(value)) for name, value in facts if value not in {None, ""}]
    width = max(len(name) for name, _value in known)
    for name, value in known:
        show(f"{name:<{width}}  {value}")


class Painted(str):
    """A text of our own with colours; it needs no cleaning."""

    __slots__ = ()


def painted(text: str, group: str) -> Painted:
    """Return the word for a state in the colour of its group, if this terminal has colours."""
    colour = COLOURS.get(group)
    return Painted(typer.style(plain(text), fg=colour) if colour and is_colourful(sys.stdout) else plain(text))


def plain(text: str) -> str:
    """Return one line that steers no terminal."""
    return _CONTROL.sub(" ", text)


def harmless(text: str) -> str:
    """Return a log with its lines and colours, and without anything else that steers a terminal."""
    return _STEERING.sub(lambda found: found[0] if _COLOUR.fullmatch(found[0]) else "", text)


def money(amount: dict[str, str] | None) -> str:
    """Return an amount with its currency, to the hundredth; the API's JSON has every digit."""
    if amount is None:
        return "-"
    return f"{Decimal(amount['amount']):.2f} {amount['currency']}"


def duration(seconds: float) -> str:
    """Return how long that is, in the two largest units."""
    whole = max(0, int(seconds))
    for unit, size, smaller, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit} {rest} {smaller}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def ago(moment: str) -> str:
    """Return how long ago a time of the API was."""
    return duration((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())


def local(moment: str | None) -> str:
    """Return a time of the API on the clock of this machine."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M") if moment else ""


def _cell(value: Any) -> str:
    if isinstance(value, Painted):
        return str(value)
    return "-" if value is None else plain(str(value))


def _width(text: str) -> int:
    """Return how many columns a text takes: two for each wide character, none for colours."""
    visible = _STEERING.sub("", text)
    return sum(2 if _is_wide(each) else 1 for each in visible)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in {"W", "F"}


def _writes_all() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") in {"utf8", "utf16", "utf16le"}
