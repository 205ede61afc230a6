"""Which routers of the gateway there are, and where."""

from ninja import Router

from gateway.api import engine_tokens

ROUTERS: list[tuple[str, Router]] = [("/tenants/{slug:tenant}", engine_tokens.router)]
