"""From where the present work was asked for, so that operations need not know of requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class Channel(StrEnum):
    """The way by which somebody acts."""

    PORTAL = "portal"
    API = "api"
    ADMIN = "admin"
    GATEWAY = "gateway"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Origin:
    """How the present work was asked for.

    `address`: of the caller, as the outermost trusted proxy saw it; empty if nobody called. `behind`: the user id of an operator
    who acts as somebody else. `token`: the key id of the API token that was used.
    """

    channel: Channel = Channel.SYSTEM
    address: str = ""
    behind: int | None = None
    token: str = ""


_OWN = Origin()
_present: ContextVar[Origin] = ContextVar("origin", default=_OWN)


def present_origin() -> Origin:
    """Return the origin of what this thread or task does now; the system's own without any."""
    return _present.get()


@contextmanager
def originating(origin: Origin) -> Iterator[None]:
    """Name the origin of everything that is done inside."""
    token = _present.set(origin)
    try:
        yield
    finally:
        _present.reset(token)
