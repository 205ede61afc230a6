"""How long somebody stays signed in: so long after the last request, and so long in all.

Both are written into the session's own date of expiry, so that whoever reads sessions, sockets and the gateway included, need
not know of it.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse

_ENDS = "ends"
_RENEWALS = 12
"""How often a session is written again within its idle time, at most: not with every request."""


class SessionAgeMiddleware:
    """Renew the session of whoever is signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Look after the view, which may have signed somebody in or out."""
        response = self.get_response(request)
        if SESSION_KEY in request.session:
            renew(request.session, now=int(time.time()))
        return response


def renew(session: SessionBase, *, now: int) -> None:
    """Let it live for another idle time, but not beyond the longest time since it began; `now` in seconds since 1970."""
    idle, longest = settings.SESSION_IDLE_HOURS * 3600, settings.SESSION_LONGEST_HOURS * 3600
    if now - session.get("seen", 0) < idle / _RENEWALS:
        return
    began = session.setdefault("began", now)
    session["seen"] = now
    # As a moment, not as seconds: these would begin anew whenever something else in the session is written.
    session.set_expiry(datetime.fromtimestamp(min(now + idle, began + longest, session.get(_ENDS, now + idle)), UTC))


def end_after(session: SessionBase, *, seconds: int, now: int) -> None:
    """Let the session end then, however much it is used; `now` in seconds since 1970."""
    session[_ENDS] = now + seconds
    session.set_expiry(datetime.fromtimestamp(now + seconds, UTC))
