"""What the gateway passed on to be judged, read once."""

from collections.abc import Iterable, MutableMapping
from typing import Any, NamedTuple

from engines.addresses import engine_origin
from gateway.api_tokens.secrets import bearer_of
from gateway.cookies import Cookies, read_cookies
from gateway.rules import Visit


class Request(NamedTuple):
    """One request of a visitor or a program."""

    slug: str
    path: str  # of the engine, with its query, as the browser sent it
    query: str
    visit: Visit
    page: bool  # somebody opens one in a tab: see Visit.is_navigation
    cookies: Cookies
    authorizations: list[str]  # one, unless somebody tries to slip a second one in
    client: str  # the address that the gateway saw; the client cannot choose it

    @property
    def bearer(self) -> str | None:
        """The API token that the request offers, well formed or not."""
        return next((found for found in map(bearer_of, self.authorizations) if found is not None), None)


def read_request(slug: str, scope: MutableMapping[str, Any], headers: dict[bytes, bytes]) -> Request:
    """Read an ASGI scope; `headers` are its headers, one of each name."""
    method = headers.get(b"x-forwarded-method", scope["method"].encode())
    upgrade = headers.get(b"x-aigc-upgrade", b"").lower()
    visit = Visit(
        own_origin=engine_origin(slug).encode(),
        method=method,
        headers=headers,
        is_websocket=b"websocket" in upgrade or method == b"CONNECT",
    )
    return Request(
        slug,
        path=headers.get(b"x-forwarded-uri", b"/").decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        visit=visit,
        page=visit.is_navigation,
        cookies=read_cookies(_all(scope["headers"], b"cookie")),
        authorizations=list(_all(scope["headers"], b"authorization")),
        client=headers.get(b"x-aigc-client", b"").decode("latin-1"),
    )


def _all(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> Iterable[str]:
    return (value.decode("latin-1") for name, value in headers if name == wanted)
