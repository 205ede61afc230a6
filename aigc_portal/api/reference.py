"""The OpenAPI document, and the same for people: a page of our own, since viewers need what our CSP refuses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from ninja import NinjaAPI

from aigc_portal.api.problems import KINDS

View = Callable[[HttpRequest], HttpResponse]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation, as the page shows it."""

    method: str
    path: str
    id: str
    summary: str
    description: str
    scope: str
    parameters: list[dict[str, Any]]
    body: str
    answers: list[tuple[str, str, str]]


def openapi_document(api: NinjaAPI) -> View:
    """Return the view of the OpenAPI document; anybody may read what the API can do."""

    @require_safe
    def view(_request: HttpRequest) -> HttpResponse:
        return JsonResponse(api.get_openapi_schema(path_prefix="/api/v1/"))

    return view


def reference(api: NinjaAPI) -> View:
    """Return the view of the reference page."""

    @require_safe
    def view(request: HttpRequest) -> HttpResponse:
        schema = api.get_openapi_schema(path_prefix="/api/v1/")
        context = {
            "title": api.title,
            "origin": settings.PORTAL_ORIGIN,
            "example_tenant": request.session.get("last_tenant", "acme"),
            "groups": _groups(schema),
            "schemas": _schemas(schema),
            "problems": KINDS.values(),
        }
        return render(request, "api/reference.html", context)

    return view


def _groups(schema: dict[str, Any]) -> dict[str, list[Route]]:
    groups: dict[str, list[Route]] = {}
    for path, item in schema["paths"].items():
        for method, details in item.items():
            groups.setdefault(details.get("tags", ["other"])[0], []).append(_route(method, path, details))
    return groups


def _route(method: str, path: str, details: dict[str, Any]) -> Route:
    content = details.get("requestBody", {}).get("content", {})
    responses = details["responses"].items()
    return Route(
        method=method.upper(),
        path=path,
        id=details["operationId"],
        summary=details["summary"],
        description=details.get("description", ""),
        scope=", ".join(details["security"][0]["AccessToken"]),
        parameters=details["parameters"],
        body=next((_name(each.get("schema", {})) for each in content.values()), ""),
        answers=[(status, each["description"], _shape(each)) for status, each in responses if "$ref" not in each],
    )


def _shape(response: dict[str, Any]) -> str:
    return next((_name(each.get("schema", {})) for each in response.get("content", {}).values()), "")


def _name(schema: dict[str, Any]) -> str:
    """Name what a schema is, e.g. "Instance", "list of Person", "string"."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(_name(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_name(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or schema.get("const") or "")


def _schemas(schema: dict[str, Any]) -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    """Return every named shape: its name, what it is, and its fields."""
    found = []
    for name, shape in sorted(schema["components"]["schemas"].items()):
        required = set(shape.get("required", []))
        fields = [
            (field if field in required else f"{field}?", _name(each), each.get("description", ""))
            for field, each in shape.get("properties", {}).items()
        ]
        words = " | ".join(str(each) for each in shape.get("enum", []))
        found.append((name, shape.get("description", "") or words, fields))
    return found
