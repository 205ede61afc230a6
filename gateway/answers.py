"""What gwauth answers, as plain values."""

import json
from typing import NamedTuple

from django.conf import settings
from django.template.loader import render_to_string

RETRY_SECONDS = 3


class Answer(NamedTuple):
    """One HTTP response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""


def allowed(upstream: str, *, cookie: str = "", authorization: str = "", renewed: str = "") -> Answer:
    """Let the request through; the gateway reads the headers and passes none of them on.

    `cookie` and `authorization` are what the engine may see, `renewed` is a Set-Cookie for the visitor; without any of the
    three, which is most requests, the gateway need not look for them.
    """
    headers = [(b"x-aigc-upstream", upstream.encode())]
    if cookie or authorization or renewed:
        more = {b"x-aigc-cookie": cookie, b"x-aigc-authorization": authorization, b"x-aigc-renewed": renewed}
        headers += [(b"x-aigc-more", b"1"), *((name, value.encode("latin-1")) for name, value in more.items() if value)]
    return Answer(200, headers)


def redirect(status: int, location: str, *, set_cookie: str = "") -> Answer:
    """Send the browser elsewhere; nobody on the way may keep the answer, nor tell the next page of the last one."""
    headers = [(b"location", location.encode()), (b"cache-control", b"no-store"), (b"referrer-policy", b"no-referrer")]
    if set_cookie:
        headers.append((b"set-cookie", set_cookie.encode()))
    return Answer(status, headers)


def refused(status: int, message: str, *, state: str, page: bool, retry_seconds: int = RETRY_SECONDS) -> Answer:
    """Say no: a page for somebody who opened one, `{"state", "message"}` for a program; a 503 says when to ask again."""
    headers = [(b"cache-control", b"no-store")]
    if status == 503:
        headers.append((b"retry-after", str(retry_seconds).encode()))
    if page:
        context = {"sentence": message, "portal": settings.PORTAL_ORIGIN, "site_name": settings.SITE_NAME}
        headers.append((b"content-type", b"text/html; charset=utf-8"))
        headers.append((b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"))
        return Answer(status, headers, render_to_string("gateway/notice.html", context).encode())
    headers.append((b"content-type", b"application/json"))
    return Answer(status, headers, json.dumps({"state": state, "message": message}).encode())
