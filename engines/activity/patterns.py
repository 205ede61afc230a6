"""Patterns of requests: a regular expression for the path, after a method where it is not a reading one. Pure.

Operators write them and visitors choose the paths that they meet, for every request of an engine. So only as much of regular
expressions is allowed as cannot take long: what a pattern may try is bounded by WAYS × PATH_LENGTH steps.
"""

import re
import warnings
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import pairwise

PATH_LENGTH = 256
"""Characters of a path that are looked at."""
PATTERN_LENGTH = 160
WAYS = 64
"""In how many ways a pattern may branch, by alternatives and by what is optional."""

READING = ("GET", "HEAD")
"""What a pattern without a method is about; a WebSocket begins as a GET."""
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?:|\(\?|[*+?][?+]?|.", re.DOTALL)
_NOT_ALLOWED = re.compile(r"\(\?|\{|\\[1-9]")

Compiled = Mapping[str, re.Pattern[str]]
"""Method to the one expression for all patterns about it."""


def pattern_problem(text: str) -> str | None:
    """Say what is wrong with a pattern, None if nothing is."""
    if len(text) > PATTERN_LENGTH:
        return f"is longer than {PATTERN_LENGTH} characters"
    if not text.isascii() or not text.isprintable():
        return "must hold printable ASCII characters only, as paths do"
    expression = _split(text)[1]
    if not expression.startswith("^/"):
        return "must start with ^/, or with a method and ^/ (POST ^/generate)"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what will mean something else in a later Python
            re.compile(expression)
    except (re.error, OverflowError, RecursionError, FutureWarning) as error:
        return f"is not a regular expression: {error}"
    return _slow(expression)


def compiled(patterns: Iterable[str]) -> Compiled:
    """One expression per method, for patterns without a problem."""
    return _compiled(tuple(patterns))


@lru_cache(maxsize=256)
def _compiled(patterns: tuple[str, ...]) -> Compiled:
    by_method: dict[str, list[str]] = {}
    for pattern in patterns:
        method, expression = _split(pattern)
        for each in (method,) if method else READING:
            by_method.setdefault(each, []).append(f"(?:{expression})")
    return {method: re.compile("|".join(expressions)) for method, expressions in by_method.items()}


def _split(text: str) -> tuple[str, str]:
    method, _, expression = text.partition(" ")
    return (method, expression) if method in _METHODS else ("", text)


def _slow(expression: str) -> str | None:
    """Refuse what makes trying long: repeated groups, several repetitions, looking around and back, many alternatives."""
    pieces = _PIECE.findall(expression)
    if any(_NOT_ALLOWED.fullmatch(piece) for piece in pieces):
        return "may use ( ), (?: ), |, ?, *, + and [ ], but not {n}, look-around, named groups or references"
    repeated = [before for before, piece in pairwise(pieces) if piece[0] in "*+"]
    if ")" in repeated:
        return "must not repeat a group"
    if len(repeated) > 1:
        return "must not hold more than one * or +"
    return f"branches in more than {WAYS} ways" if _ways(pieces) > WAYS else None


def _ways(pieces: list[str]) -> int:
    """No fewer than the ways in which the pieces can be gone through."""
    ways, alternatives = 1, [1]
    for piece in pieces:
        match piece[0]:
            case "(":
                alternatives.append(1)
            case "|":
                alternatives[-1] += 1
            case ")":
                ways *= alternatives.pop()
            case "?":
                ways *= 2
    return ways * alternatives[0]
