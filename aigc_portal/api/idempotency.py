"""A POST with an Idempotency-Key is done once: sent again within a day, it is answered as the first time.

The answer is written in the transaction of what it tells of. Whoever dies half way leaves neither, so that sending the request
again does it; whoever commits leaves both. Only what was done is kept: a refusal changed nothing, and its key is free again.
"""

import hashlib
from collections.abc import Callable

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from aigc_portal.api.problems import Problem, invalid
from aigc_portal.sealing import Unreadable
from tenants.access_tokens.answers import body_of, keep_answer, kept_answer, take_turn
from tenants.access_tokens.models import AccessToken, KeptAnswer

HEADER = "Idempotency-Key"
LENGTH = 255


def once(request: HttpRequest, token: AccessToken, run: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Answer the request, or repeat what was answered under its key. Problem for a key in use, and for another request's."""
    key, route = request.headers[HEADER], request.path
    if not 1 <= len(key) <= LENGTH or not key.isprintable() or not key.isascii():
        raise invalid("header", HEADER, _("A key has 1 to %(limit)d printable ASCII characters.") % {"limit": LENGTH})
    request_digest = hashlib.sha256(request.META.get("QUERY_STRING", "").encode() + b"\n" + request.body).hexdigest()
    with transaction.atomic():
        if not take_turn(token, route, key):
            raise Problem("request-in-progress", headers={"Retry-After": "1"})
        kept = kept_answer(token, route, key)
        if kept is not None:
            return _repeat(kept, request_digest)
        response = run()
        if response.status_code >= 300 or not isinstance(response, HttpResponse):
            transaction.set_rollback(True)
            return response
        body = response.content.decode()
        keep_answer(token, route, key, request_digest=request_digest, status=response.status_code, body=body)
    return response


def _repeat(kept: KeptAnswer, request_digest: str) -> HttpResponse:
    if kept.request_digest != request_digest:
        raise Problem("idempotency-key-reused")
    try:
        body = body_of(kept)
    except Unreadable as error:
        raise Problem("unavailable", _("It was done, but its answer can no longer be read.")) from error
    return HttpResponse(body, status=kept.status, content_type="application/json", headers={"Idempotent-Replayed": "true"})
