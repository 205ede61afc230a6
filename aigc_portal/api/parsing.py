"""Reading bodies and queries: strictly, so that nothing reaches the database which it cannot hold."""

import json
from typing import Any, NoReturn

from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from ninja.parser import Parser

from aigc_portal.api.problems import Problem


class StrictParser(Parser):
    """JSON alone, without NaN, and text that is Unicode without NUL."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Return the body as Python has it; Problem for what is no JSON."""
        try:
            found = json.loads(request.body, parse_constant=_refuse)
            _require_text(found)
        except (ValueError, RecursionError) as error:
            raise Problem("bad-request") from error
        return found

    def parse_querydict(self, data: MultiValueDict[str, str], list_fields: list[str], request: HttpRequest) -> dict[str, Any]:
        """Return the query's fields; Problem for text that cannot be stored."""
        found: dict[str, Any] = super().parse_querydict(data, list_fields, request)
        try:
            _require_text(found)
        except ValueError as error:
            raise Problem("bad-request") from error
        return found


def require_json(request: HttpRequest) -> None:
    """Refuse a body that says it is something else; Problem."""
    if request.content_type not in {"application/json", ""} and request.headers.get("Content-Length", "0") != "0":
        raise Problem("unsupported-media-type")


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _require_text(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("NUL")
        value.encode()  # half of a surrogate pair is no Unicode: UnicodeEncodeError is a ValueError
    elif isinstance(value, dict):
        for key, each in value.items():
            _require_text(key)
            _require_text(each)
    elif isinstance(value, list):
        for each in value:
            _require_text(each)
