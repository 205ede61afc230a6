"""How somebody came to the waking page: whether a person stands behind it, or a page, a script or a browser's guess. Pure.

A browser's Sec-Fetch-* headers speak of the whole chain of redirects, from whatever led to the engine's host down to this page,
and no script can set them (Fetch Metadata; measured with Chromium 156): a click, a typed address and the reload button say
`Sec-Fetch-User: ?1` at every step; a page that goes elsewhere or reloads by itself does not, and makes the chain cross-site.
So nothing needs to be carried from the engine's host to the portal, and nothing can be forged on the way.
"""

from collections.abc import Mapping
from enum import StrEnum


class Arrival(StrEnum):
    """What the headers of one request for a page prove."""

    BY_HAND = "by hand"  # a person has just clicked, typed or reloaded
    DIRECT = "direct"  # no page had a part in it, but perhaps no person either: a browser that opens its old tabs
    SENT = "sent"  # a page or script of whatever site, a frame, a prefetch, or a browser that does not say


def arrival_of(headers: Mapping[str, str]) -> Arrival:
    """Judge one request; header names match in any case, as in `HttpRequest.headers`."""
    if headers.get("Sec-Fetch-Mode") != "navigate" or headers.get("Sec-Fetch-Dest") != "document" or is_ahead(headers):
        return Arrival.SENT
    if headers.get("Sec-Fetch-User") == "?1":
        return Arrival.BY_HAND
    return Arrival.DIRECT if headers.get("Sec-Fetch-Site") == "none" else Arrival.SENT


def is_ahead(headers: Mapping[str, str]) -> bool:
    """Whether the browser only loads ahead what nobody has opened yet."""
    return any("prefetch" in headers.get(name, "").lower() for name in ("Sec-Purpose", "Purpose", "X-Moz"))
