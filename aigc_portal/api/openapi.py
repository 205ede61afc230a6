"""What the OpenAPI document says of every route alike: problems, headers, scopes. Pure but for the words of problems."""

from collections.abc import Mapping
from typing import Any

from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from aigc_portal.api.callers import AccessTokenBearer
from aigc_portal.api.problems import KINDS, MEDIA_TYPE

DESCRIPTION = """\
Everything that the portal's pages do, for programs.

* Send `Authorization: Bearer <access token>`. Tokens are made on the page Team → Tokens.
* A refusal is `application/problem+json` (RFC 9457); `code` says which it is.
* Lists come in parts: send `next_cursor` as `cursor` for the next one.
* Send an `Idempotency-Key` with a POST, and it is done once however often it is sent within a day.
* GET answers have an `ETag`: send it as `If-None-Match` to be told only of changes, or as `If-Match` where a change has to be
  to what was read.
* Times are UTC as in RFC 3339; amounts of money are decimal numbers as text, beside their currency.
"""
IF_MATCH = {"x-if-match": True}
"""`openapi_extra` of an operation that heeds If-Match."""
QUESTION = {"x-question": True}
"""`openapi_extra` of an operation whose query is a question in a language of its own: what is not understood of it is 400."""
BEARER = "aigc_pat_… or aigc_svc_…"
_ALWAYS = (400, 401, 403, 404, 429, 500)
_CHANGES = (409,)
_HEADERS = {
    "ETag": "Names this state of the thing.",
    "RateLimit": "What is left of this minute's requests, and seconds until the next minute.",
    "RateLimit-Policy": "How many requests a user may send within how many seconds.",
}


def completed(schema: OpenAPISchema, operations: Mapping[str, Operation]) -> OpenAPISchema:
    """Add to a document that ninja made what it cannot know of; `operations` by operation id."""
    components = schema["components"]
    components["schemas"]["Problem"] = _problem_schema()
    components["headers"] = {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()}
    statuses = sorted({kind.status for kind in KINDS.values()})
    components["responses"] = {f"Problem{status}": _problem_response(status) for status in statuses}
    components["securitySchemes"] = {"AccessToken": {"type": "http", "scheme": "bearer", "bearerFormat": BEARER}}
    for path_item in schema["paths"].values():
        for method, details in path_item.items():
            _complete(method, details, operations[details["operationId"]])
    return schema


def _complete(method: str, details: dict[str, Any], operation: Operation) -> None:
    guarded = details.pop("x-if-match", False)
    details["security"] = [{"AccessToken": [str(scope) for scope in _scopes(operation)]}]
    details["parameters"] = [*details["parameters"], *_header_parameters(method, guarded=guarded)]
    responses = {str(status): dict(response) for status, response in details["responses"].items()}
    for response in responses.values():
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in _headers_of(method, guarded=guarded)}
    if method == "get":
        responses["304"] = {"description": "What If-None-Match names is still so."}
    for status in _statuses(method, details, guarded=guarded):
        responses.setdefault(str(status), {"$ref": f"#/components/responses/Problem{status}"})
    details["responses"] = dict(sorted(responses.items()))


def _scopes(operation: Operation) -> list[str]:
    return [each.scope for each in operation.auth_callbacks if isinstance(each, AccessTokenBearer) and each.scope is not None]


def _statuses(method: str, details: dict[str, Any], *, guarded: bool) -> list[int]:
    found = [*_ALWAYS, *details.pop("x-problems", [])]
    found += [] if details.pop("x-question", False) else [422]
    found += _CHANGES if method != "get" else ()
    found += [413, 415] if "requestBody" in details else []
    return found + ([412] if guarded else [])


def _headers_of(method: str, *, guarded: bool) -> list[str]:
    return [name for name in _HEADERS if name != "ETag" or method == "get" or guarded]


def _header_parameters(method: str, *, guarded: bool) -> list[dict[str, Any]]:
    wanted = {
        "Idempotency-Key": (method == "post", "Names the request, so that it is done once however often it is sent.", 255),
        "If-Match": (guarded, "An ETag: the change is made only if the thing has not been changed since.", 1000),
        "If-None-Match": (method == "get", "An ETag: answered with 304 while nothing has changed.", 1000),
    }
    return [
        {"in": "header", "name": name, "required": False, "description": text, "schema": {"type": "string", "maxLength": length}}
        for name, (applies, text, length) in wanted.items()
        if applies
    ]


def _problem_schema() -> dict[str, Any]:
    error = {
        "type": "object",
        "properties": {"in": {"type": "string"}, "field": {"type": "string"}, "detail": {"type": "string"}},
        "required": ["in", "field", "detail"],
    }
    return {
        "title": "Problem",
        "description": "A refusal, as in RFC 9457.",
        "type": "object",
        "properties": {
            "type": {"type": "string", "format": "uri", "description": "The address of its description."},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string", "enum": list(KINDS)},
            "detail": {"type": "string", "description": "A sentence for people, in the language of Accept-Language."},
            "errors": {"type": "array", "items": error, "description": "Every field that is not valid."},
        },
        "required": ["type", "title", "status", "code", "detail"],
    }


def _problem_response(status: int) -> dict[str, Any]:
    kinds = [kind for kind in KINDS.values() if kind.status == status]
    return {
        "description": " ".join(f"`{kind.code}`: {kind.about}" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
