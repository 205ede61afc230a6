"""The API put together: routers, refusals, and what happens around every route."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path, re_path
from django.utils.translation import gettext as _
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from aigc_portal.api import idempotency
from aigc_portal.api.callers import identify
from aigc_portal.api.openapi import DESCRIPTION, QUESTION, completed
from aigc_portal.api.parsing import StrictParser, require_json
from aigc_portal.api.problems import Problem, not_found, problem_of_status
from aigc_portal.api.reference import openapi_document, reference
from aigc_portal.api.refusals import problem_of
from billing.api import routes as billing_routes
from engines.api import routes as engine_routes
from gateway.api import routes as gateway_routes
from tenants.api import routes as tenant_routes
from tenants.audit.origin import originating, present_origin
from tenants.errors import PortalError

log = logging.getLogger(__name__)
Run = Callable[..., HttpResponseBase]
_ASKS = "_api_question"


class PortalApi(NinjaAPI):
    """NinjaAPI whose OpenAPI document also tells what is the same for every route."""

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """Return the whole document."""
        schema = super().get_openapi_schema(**options)
        operations = {
            operation.operation_id or self.get_openapi_operation_id(operation): operation for operation in operations_of(self)
        }
        return completed(schema, operations)

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """Name an operation as its function: short, and the same for ever."""
        return operation.view_func.__name__


def operations_of(api: NinjaAPI) -> list[Operation]:
    """Return every operation of the API."""
    views = [view for router in api._get_bound_routers() for view in router.path_operations.values()]  # noqa: SLF001 - no other way
    return [operation for view in views for operation in view.operations]


def _around(run: Run) -> Run:
    """Identify the caller before anything else is looked at, name the token for the audit log, and do what was asked once."""
    operation: Operation = run.__self__  # type: ignore[attr-defined]
    known = {name for model in operation.models if model.__ninja_param_source__ == "query" for name in _fields(model)}
    asks = QUESTION.items() <= (operation.openapi_extra or {}).items()
    reads_json = any(model.__ninja_param_source__ == "body" for model in operation.models)

    @wraps(run)
    def answer(request: HttpRequest, **values: Any) -> HttpResponseBase:
        setattr(request, _ASKS, asks)
        try:
            token = identify(request).token
            _require_known(request, known)
            if reads_json:
                require_json(request)
            with originating(replace(present_origin(), token=token.key_id)):
                if request.method == "POST" and idempotency.HEADER in request.headers:
                    return idempotency.once(request, token, lambda: run(request, **values))
                return run(request, **values)
        except Problem as problem:
            return _response(request, problem)

    return answer


def _response(request: HttpRequest, problem: Problem) -> HttpResponseBase:
    return (problem.of_question if getattr(request, _ASKS, False) else problem).response


def _fields(model: Any) -> set[str]:
    return set(getattr(model, "__ninja_flatten_map__", None) or model.model_fields)


def _require_known(request: HttpRequest, known: set[str]) -> None:
    unknown = sorted(set(request.GET) - known)
    if unknown:
        errors = [{"in": "query", "field": name, "detail": _("There is no such parameter.")} for name in unknown]
        raise Problem("invalid", errors=errors)


api = PortalApi(
    title=f"{settings.SITE_NAME} API",
    version="1",
    description=DESCRIPTION,
    docs_url=None,
    openapi_url=None,
    urls_namespace="api",
    parser=StrictParser(),
    servers=[{"url": settings.PORTAL_ORIGIN}],
)
api.add_decorator(_around, mode="view")
for _part in (tenant_routes, engine_routes, gateway_routes, billing_routes):
    for _prefix, _router in _part.ROUTERS:
        api.add_router(_prefix, _router)


@api.exception_handler(PortalError)
def _refused(_request: HttpRequest, error: Any) -> HttpResponseBase:
    return problem_of(error).response


@api.exception_handler(Problem)
def _problem(request: HttpRequest, problem: Any) -> HttpResponseBase:
    return _response(request, problem)


@api.exception_handler(Http404)
def _absent(_request: HttpRequest, _error: Any) -> HttpResponseBase:
    return not_found().response


@api.exception_handler(HttpError)
def _http_error(_request: HttpRequest, error: Any) -> HttpResponseBase:
    return problem_of_status(error.status_code).response


@api.exception_handler(RequestDataTooBig)
def _too_big(_request: HttpRequest, _error: Any) -> HttpResponseBase:
    return Problem("too-large").response


def _field(location: tuple[object, ...]) -> str:
    """Name a field as its caller does: without the place it is in, and the name that our code has for the whole body."""
    return ".".join(str(part) for part in location[2:] or location[1:])


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: Any) -> HttpResponseBase:
    errors = [{"in": str(each["loc"][0]), "field": _field(each["loc"]), "detail": each["msg"]} for each in error.errors]
    return _response(request, Problem("invalid", errors=errors))


@api.exception_handler(Exception)
def _failed(request: HttpRequest, error: Any) -> HttpResponseBase:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return Problem("internal").response


def _nothing(_request: HttpRequest, **_values: str) -> HttpResponseBase:
    return not_found().response


def urls() -> list[URLPattern | URLResolver]:
    """Return the addresses below /api/v1/; whatever else is asked for there is answered here too."""
    found: list[URLPattern | URLResolver] = [
        path("openapi.json", openapi_document(api), name="api-openapi"),
        path("docs", reference(api), name="api-docs"),
        path("", api.urls),
        re_path(r"^(?P<rest>.*)$", _nothing, name="api-nothing"),
    ]
    return found
