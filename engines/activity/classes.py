"""What one request says about the use of an engine. Pure; asked for every request that the gateway lets in."""

from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from engines.activity.families import activity_of
from engines.activity.patterns import PATH_LENGTH, Compiled, compiled
from engines.activity.schema import Activity

READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class RequestClass(StrEnum):
    """Kinds of request. WORK is use only as long as it is open."""

    USER = "user"  # a person opened a page, or did something on one
    API = "api"  # a program with a token
    WORK = "work"  # open exactly as long as the engine works for somebody
    POLL = "poll"  # a page that asks again by itself, and every WebSocket: an open tab is not use
    ASSET = "asset"  # whatever else a page reads


USE = frozenset({RequestClass.USER, RequestClass.API, RequestClass.WORK})


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """How requests of one engine version are told apart."""

    poll: Compiled = field(default_factory=dict)
    work: Compiled = field(default_factory=dict)
    websocket_is_user: bool = False


@lru_cache(maxsize=512)
def rules_of(activity: Activity) -> Rules:
    """The rules of an engine version whose activity is this, its family's defaults included."""
    return Rules(compiled(activity.poll or ()), compiled(activity.work or ()), bool(activity.websocket_is_user))


NO_RULES = rules_of(activity_of("http", {}))
"""Of an engine of which nothing is known."""


def classify(rules: Rules, *, method: str, path: str, destination: str, is_websocket: bool, is_token: bool) -> RequestClass:
    """Tell what a request is; the first that fits counts.

    `path` may have a query, which is not looked at. `destination` is Sec-Fetch-Dest, "document" for whatever opens a page in a
    tab. A WebSocket's method is GET, whatever carries it.
    """
    looked_at = path.partition("?")[0][:PATH_LENGTH]
    asked = "GET" if is_websocket else method
    if _fits(rules.work, asked, looked_at):
        return RequestClass.WORK
    if _fits(rules.poll, asked, looked_at):
        return RequestClass.POLL
    if is_token:
        return RequestClass.API
    if is_websocket:
        return RequestClass.USER if rules.websocket_is_user else RequestClass.POLL
    if destination == "document" or method not in READING_METHODS:
        return RequestClass.USER
    return RequestClass.ASSET


def _fits(patterns: Compiled, method: str, path: str) -> bool:
    expression = patterns.get(method)
    return expression is not None and expression.match(path) is not None
