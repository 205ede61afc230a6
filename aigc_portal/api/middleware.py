"""Everything below /api/ is answered in the API's own form, whoever answered it."""

import hashlib
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers

from aigc_portal.api import rates
from aigc_portal.api.problems import MEDIA_TYPE, Problem, problem_of_status

BODY_LIMIT = 1024 * 1024
"""Bytes of a JSON body; files come in pieces, whose route says how large they may be."""
PREFIX = "/api/v1/"


class ApiMiddleware:
    """Give errors of the web framework the form of problems, and answers their ETag and what is left of the allowance."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass other requests by."""
        if not request.path_info.startswith(PREFIX):
            return self.get_response(request)
        if request.method == "HEAD":
            request.method = "GET"  # the server sends no body to one who asked for none
        response = _oversized(request) or self.get_response(request)
        if response.status_code >= 400 and not response.get("Content-Type", "").startswith(MEDIA_TYPE):
            response = _as_problem(response)
        rates.add_headers(request, response)
        response.headers.setdefault("Cache-Control", "private, no-cache" if response.status_code == 200 else "no-store")
        response["X-Content-Type-Options"] = "nosniff"
        patch_vary_headers(response, ["Authorization", "Accept-Language"])
        return _with_etag(request, response)


def _oversized(request: HttpRequest) -> HttpResponse | None:
    """Refuse before a byte is read; bodies that are no JSON are the affair of their route."""
    if request.content_type != "application/json":
        return None
    length = request.headers.get("Content-Length", "")
    return Problem("too-large").response if length.isdecimal() and int(length) > BODY_LIMIT else None


def _as_problem(response: HttpResponseBase) -> HttpResponse:
    problem = problem_of_status(response.status_code).response
    for name in ("Allow", "Retry-After", "Content-Range"):
        if name in response.headers:
            problem[name] = response.headers[name]
    return problem


def _with_etag(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Name what was sent by its content, after what its route says must be unchanged for If-Match."""
    prefix = getattr(request, "etag_prefix", "")
    told = request.method == "GET" or prefix
    if isinstance(response, StreamingHttpResponse) or response.status_code not in {200, 201} or not told:
        return response
    assert isinstance(response, HttpResponse)  # noqa: S101 - what does not stream; for the type checker
    if "ETag" not in response.headers:
        digest = hashlib.sha256(response.content).hexdigest()[:24]
        response["ETag"] = f'"{prefix}.{digest}"' if prefix else f'"{digest}"'
    if request.method != "GET":
        return response
    conditional = get_conditional_response(request, etag=response["ETag"], response=response)
    return response if conditional is None else conditional
