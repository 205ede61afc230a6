"""What gwauth answers, as plain values."""

import base64
import hashlib
import json
from typing import NamedTuple

from django.conf import settings
from django.template.loader import render_to_string

RETRY_SECONDS = 3
_STYLE = "body { font: 1rem/1.5 system-ui, sans-serif; margin: 20vh auto 0; max-width: 32rem; padding: 0 1.5rem; }"
# A page that asks nothing of anybody: an engine's host has no files of ours. Its one style is known by its digest.
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_NOTICE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Answer(NamedTuple):
    """One HTTP response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""


def allowed(upstream: str, *, cookie: str = "", authorization: str = "", renewed: str = "", work: bool = False) -> Answer:
    """Let the request through; the gateway reads the headers and passes none of them on.

    `cookie` and `authorization` are what the engine may see, `renewed` is a Set-Cookie for the visitor, `work` has the request
    counted with those that are open as long as the engine works; without any of the four, which is most requests, the gateway
    need not look for them.
    """
    headers = [(b"x-aigc-upstream", upstream.encode())]
    if cookie or authorization or renewed or work:
        more = {b"x-aigc-cookie": cookie, b"x-aigc-authorization": authorization, b"x-aigc-renewed": renewed}
        more[b"x-aigc-work"] = "1" if work else ""
        headers += [(b"x-aigc-more", b"1"), *((name, value.encode("latin-1")) for name, value in more.items() if value)]
    return Answer(200, headers)


def redirect(status: int, location: str, *, set_cookie: str = "") -> Answer:
    """Send the browser elsewhere; nobody on the way may keep the answer, nor tell the next page of the last one."""
    headers = [(b"location", location.encode()), (b"cache-control", b"no-store"), (b"referrer-policy", b"no-referrer")]
    if set_cookie:
        headers.append((b"set-cookie", set_cookie.encode()))
    return Answer(status, headers)


def refused_program(status: int, message: str, *, state: str, retry_seconds: int | None = None) -> Answer:
    """Say no to a program with an API token: `{"state", "message"}`, and when to ask again if that may help."""
    headers = [(b"cache-control", b"no-store"), (b"content-type", b"application/json")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if retry_seconds is not None:
        headers.append((b"retry-after", str(retry_seconds).encode()))
    return Answer(status, headers, json.dumps({"state": state, "message": message}).encode())


def refused(status: int, message: str, *, state: str, page: bool, retry_seconds: int = RETRY_SECONDS) -> Answer:
    """Say no: a page for somebody who opened one, `{"state", "message"}` for a program; a 503 says when to ask again."""
    headers = [(b"cache-control", b"no-store")]
    if status == 503:
        headers.append((b"retry-after", str(retry_seconds).encode()))
    if page:
        context = {"sentence": message, "portal": settings.PORTAL_ORIGIN, "site_name": settings.SITE_NAME, "style": _STYLE}
        headers.append((b"content-type", b"text/html; charset=utf-8"))
        headers.append((b"content-security-policy", _NOTICE_POLICY.encode()))
        return Answer(status, headers, render_to_string("gateway/notice.html", context).encode())
    headers.append((b"content-type", b"application/json"))
    return Answer(status, headers, json.dumps({"state": state, "message": message}).encode())
