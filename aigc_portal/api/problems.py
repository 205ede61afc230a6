"""How the API refuses: RFC 9457, `application/problem+json`, with a type from a closed vocabulary.

`code` is the last part of `type`, which is the address of its description on the reference page.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: status and title are always the same, `about` is what the reference says of it."""

    code: str
    status: int
    title: Promise
    about: Promise

    @property
    def address(self) -> str:
        """What `type` holds."""
        return f"{settings.PORTAL_ORIGIN}/api/v1/docs#{self.code}"


_EVERY_KIND = (
    Kind(
        "bad-request",
        400,
        _("Not understood"),
        _("The request is not HTTP or JSON as the API reads it, or it is a question that has no meaning: `errors` says where."),
    ),
    Kind(
        "unauthenticated",
        401,
        _("No valid access token"),
        _("The header “Authorization: Bearer …” is missing, or its token is unknown, revoked or over."),
    ),
    Kind("insufficient-scope", 403, _("Not in the token’s scopes"), _("The token was made without the scope that this needs.")),
    Kind("not-allowed", 403, _("Not allowed"), _("The role of the token’s user does not allow this.")),
    Kind("not-found", 404, _("Not found"), _("There is nothing at this address, or nothing that the token’s user may see.")),
    Kind("method-not-allowed", 405, _("Not this method"), _("The header “Allow” names the methods of this address.")),
    Kind("name-taken", 409, _("Name taken"), _("Something of this kind has the name already. Choose another.")),
    Kind("limit-reached", 409, _("Limit reached"), _("A limit stands against it; the detail says which.")),
    Kind("budget-reached", 409, _("Budget used up"), _("A budget leaves no room for this run; the detail says which.")),
    Kind("unavailable", 409, _("Not possible now"), _("It is well said, but the state of things does not allow it.")),
    Kind(
        "request-in-progress",
        409,
        _("Request in progress"),
        _("A request with this Idempotency-Key is being worked on. Ask again in a moment."),
    ),
    Kind(
        "precondition-failed",
        412,
        _("Changed meanwhile"),
        _("The thing is no longer what If-Match says. Read it again, and decide again."),
    ),
    Kind("too-large", 413, _("Too large"), _("The body is larger than this address takes.")),
    Kind("unsupported-media-type", 415, _("Not JSON"), _("Bodies are JSON: send “Content-Type: application/json”.")),
    Kind("range-not-satisfiable", 416, _("No such range"), _("The file has no such bytes.")),
    Kind("invalid", 422, _("Not valid"), _("Fields are missing, unknown or wrong: `errors` names each of them.")),
    Kind(
        "idempotency-key-reused",
        422,
        _("Idempotency-Key used before"),
        _("Another request was sent under this key. A key belongs to one request, and to its repetitions."),
    ),
    Kind("rate-limited", 429, _("Too many requests"), _("Wait for as many seconds as “Retry-After” says.")),
    Kind("internal", 500, _("The portal failed"), _("It was our fault, and is written in our log.")),
    Kind("away", 503, _("Not reachable now"), _("A part of the portal or a cluster does not answer. It passes by itself.")),
)
KINDS: Mapping[str, Kind] = {kind.code: kind for kind in _EVERY_KIND}
_BY_STATUS = {status: next(kind for kind in _EVERY_KIND if kind.status == status) for status in {k.status for k in _EVERY_KIND}}
UNSEEN = _("There is nothing here, or it is not yours.")


@dataclass(eq=False)
class Problem(Exception):
    """A request that is refused; `errors` and `more` become members of the body."""

    code: str
    detail: str | Promise = ""
    errors: Sequence[Mapping[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def of_question(self) -> "Problem":
        """The same where what was sent is a question and no form: what is not valid in it was not understood."""
        return replace(self, code="bad-request") if self.code == "invalid" else self

    @property
    def response(self) -> HttpResponse:
        """The answer, in the caller's language."""
        kind = KINDS[self.code]
        body: dict[str, Any] = {
            "type": kind.address,
            "title": str(kind.title),
            "status": kind.status,
            "code": kind.code,
            "detail": str(self.detail or kind.about),
        }
        body |= {"errors": list(self.errors)} if self.errors else {}
        content = json.dumps(body | dict(self.more), ensure_ascii=False)
        headers = dict(self.headers)
        if kind.status == 401:
            headers.setdefault("WWW-Authenticate", 'Bearer realm="api"')
        return HttpResponse(content, status=kind.status, content_type=MEDIA_TYPE, headers=headers)


def not_found() -> Problem:
    """Return the one answer to everything that is not there, or not for this caller."""
    return Problem("not-found", UNSEEN)


def problem_of_status(status: int) -> Problem:
    """Return what stands for an error that has no words of its own, e.g. one of the web framework."""
    if status == 404:
        return not_found()
    kind = _BY_STATUS.get(status) or _BY_STATUS[500 if status >= 500 else 400]
    return Problem(kind.code)


def invalid(where: str, name: str, detail: str) -> Problem:
    """Return the refusal of one field; `where` is body, query, path or header."""
    return Problem("invalid", gettext("One field is not valid."), errors=[{"in": where, "field": name, "detail": detail}])
