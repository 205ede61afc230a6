"""In which language a visitor is refused: the browser's, since the portal's language cookie never reaches an engine's host."""

from contextlib import AbstractContextManager, nullcontext

from django.http import HttpRequest
from django.utils import translation

from gateway.rules import Visit


def in_language_of(visit: Visit) -> AbstractContextManager[None]:
    """Speak what the browser of somebody who opens a page asks for; programs, which are most visits, get the default."""
    if not visit.is_navigation:
        return nullcontext()
    request = HttpRequest()
    request.META["HTTP_ACCEPT_LANGUAGE"] = visit.headers.get(b"accept-language", b"").decode("latin-1")
    return translation.override(translation.get_language_from_request(request))
