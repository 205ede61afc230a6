"""The platform's cookies on an engine's host, told from the engine's own. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

# `__Host-`: no domain, so neither a sister host nor the engine's own script can forge or replace them.
PASS = "__Host-aigc_s"  # noqa: S105 - a name
NONCE = "__Host-aigc_p"
# Names without the prefix a sister host can set, twice if it likes: they are cut out, and otherwise mean nothing.
_PREFIXED = frozenset({PASS, NONCE})
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"


class Cookies(NamedTuple):
    """What one request carries."""

    token: str
    nonce: str
    engine_part: str  # the engine's own cookies, as they were sent
    doubled: bool  # two cookies of one of our names: somebody tries to slip one in


def read_cookies(headers: Iterable[str]) -> Cookies:
    """Split all Cookie headers of a request (HTTP/2 may send several)."""
    ours: dict[str, str] = {}
    kept: list[str] = []
    doubled = False
    for header in headers:
        for piece in header.split(";"):
            cookie = piece.strip()
            name, _, value = cookie.partition("=")
            name = name.strip()
            if _is_platform(name):
                doubled = doubled or (name in ours and name in _PREFIXED)
                ours[name] = value.strip()
            elif cookie:
                kept.append(cookie)
    return Cookies(ours.get(PASS, ""), ours.get(NONCE, ""), "; ".join(kept), doubled)


def set_cookie(name: str, value: str, *, max_age: int) -> str:
    """The value of a Set-Cookie header; a `max_age` of 0 seconds deletes the cookie."""
    return f"{name}={value}; {_ATTRIBUTES}; Max-Age={max_age}"


def _is_platform(name: str) -> bool:
    return name.lower().removeprefix("__host-").removeprefix("__secure-").startswith("aigc_")
