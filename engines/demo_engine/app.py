"""Puts the routes together, and says in one place what each refusal looks like on the wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from engines.demo_engine import api, sdapi, uploads
from engines.demo_engine.files import DiskFull
from engines.demo_engine.jobs import NoSuchJob, QueueFull
from engines.demo_engine.library import NoSuchPicture, NotInThisVersion
from engines.demo_engine.loom import Loom
from engines.demo_engine.parameters import InvalidRequest, UnknownSampler
from engines.demo_engine.requests import loom_of

_WEB = Path(__file__).parent / "web"
_PAGE_POLICY = "default-src 'self'; img-src 'self' data:; base-uri 'none'; object-src 'none'"


def create_app(loom: Loom) -> Starlette:
    """The whole application; its lifespan runs the worker."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        worker = asyncio.create_task(loom.queue.run())
        yield
        loom.stop()
        await worker

    app = Starlette(
        routes=[
            Route("/", page, methods=["GET"]),
            Mount("/static", StaticFiles(directory=_WEB)),
            WebSocketRoute("/ws", websocket),
            *api.routes,
            *uploads.routes,
            *sdapi.routes,
        ],
        exception_handlers={
            InvalidRequest: _invalid,
            UnknownSampler: _unknown_sampler,
            NoSuchPicture: _refusal(404, "There is no such picture."),
            NoSuchJob: _refusal(404, "There is no such job."),
            NotInThisVersion: _refusal(404),
            QueueFull: _refusal(503),
            DiskFull: _refusal(507),
        },
        lifespan=lifespan,
    )
    app.state.loom = loom
    return app


async def page(_request: Request) -> Response:
    """The engine's own page."""
    return FileResponse(_WEB / "index.html", headers={"content-security-policy": _PAGE_POLICY, "cache-control": "no-cache"})


async def websocket(websocket: WebSocket) -> None:
    """The present state at once, then every change."""
    loom = loom_of(websocket)
    await loom.live.serve(websocket, loom.present_state())


def _invalid(_request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": error.problems if isinstance(error, InvalidRequest) else str(error)}, 422)


def _unknown_sampler(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "HTTPException", "detail": "Sampler not found", "body": "", "errors": ""}, 404)


def _refusal(status: int, sentence: str = ""):  # type: ignore[no-untyped-def]  # Starlette's handler type is a union of both kinds
    def answer(_request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": sentence or str(error)}, status)

    return answer
