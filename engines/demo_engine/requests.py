"""Reading requests: the engine behind them, their JSON, their query."""

import json
from typing import Any, NoReturn

from starlette.requests import HTTPConnection, Request

from engines.demo_engine.loom import Loom
from engines.demo_engine.parameters import InvalidRequest


def loom_of(connection: HTTPConnection) -> Loom:
    """The engine that the application was made for."""
    loom: Loom = connection.app.state.loom
    return loom


async def json_object(request: Request) -> dict[str, Any]:
    """The body, which must be a JSON object."""
    try:
        body = json.loads(await request.body(), parse_constant=_refuse_constant)
    except ValueError as error:
        raise InvalidRequest([{"type": "json_invalid", "loc": ["body", 0], "msg": "JSON decode error", "input": {}}]) from error
    if not isinstance(body, dict):
        msg = "Input should be a valid dictionary"
        raise InvalidRequest([{"type": "dict_type", "loc": ["body"], "msg": msg, "input": body}])
    return body


def _refuse_constant(name: str) -> NoReturn:
    """NaN and Infinity are not JSON, whatever Python says."""
    raise ValueError(name)


def query_number(request: Request, name: str, default: int, at_most: int) -> int:
    """A whole number from 0 to at_most."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= at_most):
        msg = f"Input should be a whole number from 0 to {at_most}"
        raise InvalidRequest([{"type": "int_parsing", "loc": ["query", name], "msg": msg, "input": text}])
    return int(text)
