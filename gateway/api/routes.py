"""Which routers of gateway there are, and where."""

from ninja import Router

ROUTERS: list[tuple[str, Router]] = []
