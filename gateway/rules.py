"""What a browser may do on an engine's host with the visitor's cookie. Pure.

Engines of several tenants are the same site to a browser, so SameSite cookies keep none of them from another's:
Origin and Sec-Fetch-* are judged here, for every request.
"""

from collections.abc import Mapping
from typing import NamedTuple

_FRAMES = frozenset({b"iframe", b"frame", b"embed", b"object", b"fencedframe"})
_FOREIGN_SITES = frozenset({b"cross-site", b"same-site"})


class Visit(NamedTuple):
    """One request for an engine, as far as the rules look at it. Header names are lower case."""

    own_origin: bytes
    method: bytes
    headers: Mapping[bytes, bytes]
    is_websocket: bool

    @property
    def is_navigation(self) -> bool:
        """Somebody opens a page in a tab: the only kind of request that may be sent to the portal."""
        get = self.headers.get
        if self.method != b"GET" or self.is_websocket or self.is_ahead:
            return False
        mode = get(b"sec-fetch-mode")
        if mode is not None:
            return mode == b"navigate" and get(b"sec-fetch-dest") == b"document"
        # A browser from before Sec-Fetch-*; its scripts' calls to other origins name theirs.
        return b"text/html" in get(b"accept", b"") and get(b"origin") is None

    @property
    def is_ahead(self) -> bool:
        """The browser loads what nobody has opened yet; refused, it loads it again when somebody does."""
        return any(b"prefetch" in self.headers.get(name, b"").lower() for name in (b"sec-purpose", b"purpose"))

    @property
    def is_worker_script(self) -> bool:
        """A service worker would outlive the visitor's right and see the sign-in callback."""
        return self.headers.get(b"service-worker") == b"script"


def refusal(visit: Visit) -> str | None:
    """Return why a signed-in visitor's request is refused, or None if a page of this very engine may have made it."""
    get = visit.headers.get
    origin = get(b"origin")
    if visit.is_websocket:
        return None if origin == visit.own_origin else "A WebSocket must be opened by a page of this engine."
    if visit.is_navigation:
        return None
    if origin is not None and origin != visit.own_origin:
        return "Pages of other origins may not call this engine."
    site = get(b"sec-fetch-site")
    if site in _FOREIGN_SITES:
        return "Pages of other sites may not use this engine."
    if get(b"sec-fetch-dest") in _FRAMES and site != b"same-origin":
        return "This engine may not be shown inside another page."
    return None
