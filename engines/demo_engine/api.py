"""The engine's own API, for its page and for people who test what lies between them and the engine."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from engines.demo_engine import png
from engines.demo_engine.library import Wanted
from engines.demo_engine.parameters import InvalidRequest, read_parameters
from engines.demo_engine.requests import json_object, loom_of, query_number

_FOREVER = {"cache-control": "private, max-age=31536000, immutable"}
_EVERY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
LONGEST_TAG = 40
MOST_TAGS = 20


async def health(_request: Request) -> Response:
    """200 as soon as requests are answered at all."""
    return JSONResponse({"status": "ok"})


async def about(request: Request) -> Response:
    """Version, features, limits."""
    return JSONResponse(loom_of(request).about())


async def list_jobs(request: Request) -> Response:
    """Running, waiting, then past jobs."""
    return JSONResponse({"jobs": [job.as_json() for job in loom_of(request).queue.jobs()]})


async def add_job(request: Request) -> Response:
    """Enqueue without waiting."""
    loom = loom_of(request)
    body = await json_object(request)
    job = loom.queue.enqueue(read_parameters(body, loom.options.values["sd_model_checkpoint"]))
    return JSONResponse(job.as_json(), 202)


async def get_job(request: Request) -> Response:
    """One job, as long as it is remembered."""
    return JSONResponse(loom_of(request).queue.find(request.path_params["job_id"]).as_json())


async def cancel_job(request: Request) -> Response:
    """Take it out of the queue, or stop it between two steps."""
    return JSONResponse(loom_of(request).queue.cancel(request.path_params["job_id"]).as_json())


async def list_images(request: Request) -> Response:
    """One page of the gallery, newest first."""
    wanted = Wanted(
        offset=query_number(request, "offset", 0, 10**9),
        limit=query_number(request, "limit", 24, 200),
        search=request.query_params.get("search", ""),
        favourites_only=request.query_params.get("favourites", "") in ("1", "true"),
    )
    page = await asyncio.to_thread(lambda: loom_of(request).open_library().list_pictures(wanted))
    return JSONResponse(
        {"images": [picture.as_json() for picture in page.pictures], "total": page.total, "offset": wanted.offset}
    )


async def get_image(request: Request) -> Response:
    """The PNG, or with thumbnail=1 a small JPEG."""
    path = await asyncio.to_thread(lambda: loom_of(request).open_library().path_of(request.path_params["image_id"]))
    if request.query_params.get("thumbnail"):
        thumbnail = await asyncio.to_thread(_thumbnail, path, path.stat().st_mtime_ns)
        return Response(thumbnail, media_type="image/jpeg", headers=_FOREVER)
    return FileResponse(path, media_type="image/png", headers=_FOREVER)


async def delete_image(request: Request) -> Response:
    """Gone for good."""
    loom, image_id = loom_of(request), request.path_params["image_id"]
    await asyncio.to_thread(lambda: loom.open_library().delete(image_id))
    loom.live.announce({"type": "removed", "picture_id": image_id})
    return Response(status_code=204)


async def annotate_image(request: Request) -> Response:
    """Set `favourite` and/or `tags`."""
    loom, body = loom_of(request), await json_object(request)
    favourite, tags = body.get("favourite"), body.get("tags")
    _check_annotation(favourite, tags)
    picture = await asyncio.to_thread(lambda: loom.open_library().annotate(request.path_params["image_id"], favourite, tags))
    loom.live.announce({"type": "changed", "picture": picture.as_json()})
    return JSONResponse(picture.as_json())


async def echo(request: Request) -> Response:
    """What reached the engine, so that one can see what a gateway let through."""
    return JSONResponse(
        {
            "method": request.method,
            "path": request.scope["path"],
            "raw_path": request.scope["raw_path"].decode("latin-1"),
            "query": request.scope["query_string"].decode("latin-1"),
            "http_version": request.scope["http_version"],
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.scope["headers"]],
            "client": list(request.scope["client"] or ()),
        }
    )


async def events(request: Request) -> Response:
    """Server-sent events: n of them, `interval` milliseconds apart."""
    count = query_number(request, "n", 5, 100_000)
    interval = query_number(request, "interval", 1000, 60_000) / 1000
    stopping = loom_of(request).stopping

    async def stream() -> AsyncIterator[str]:
        for number in range(1, count + 1):
            yield f"id: {number}\nevent: tick\ndata: {json.dumps({'number': number, 'of': count})}\n\n"
            try:
                await asyncio.wait_for(stopping.wait(), interval if number < count else 0.001)
            except TimeoutError:
                continue
            return

    return StreamingResponse(
        stream(), media_type="text/event-stream", headers={"cache-control": "no-cache", "x-accel-buffering": "no"}
    )


@lru_cache(maxsize=512)
def _thumbnail(path: Path, _mtime_ns: int) -> bytes:
    return png.encode_thumbnail(path)


def _check_annotation(favourite: Any, tags: Any) -> None:
    problems = []
    if favourite is not None and not isinstance(favourite, bool):
        problems.append(
            {
                "type": "bool_type",
                "loc": ["body", "favourite"],
                "msg": "Input should be a valid boolean",
                "input": favourite,
            }
        )
    fits = (
        isinstance(tags, list)
        and len(tags) <= MOST_TAGS
        and all(isinstance(tag, str) and 0 < len(tag) <= LONGEST_TAG for tag in tags)
    )
    if tags is not None and not fits:
        msg = f"Input should be a list of at most {MOST_TAGS} texts of 1 to {LONGEST_TAG} characters"
        problems.append({"type": "list_type", "loc": ["body", "tags"], "msg": msg, "input": tags})
    if problems:
        raise InvalidRequest(problems)


routes = [
    Route("/healthz", health, methods=["GET"]),
    Route("/api/about", about, methods=["GET"]),
    Route("/api/jobs", list_jobs, methods=["GET"]),
    Route("/api/jobs", add_job, methods=["POST"]),
    Route("/api/jobs/{job_id}", get_job, methods=["GET"]),
    Route("/api/jobs/{job_id}", cancel_job, methods=["DELETE"]),
    Route("/api/images", list_images, methods=["GET"]),
    Route("/api/images/{image_id:path}", get_image, methods=["GET"]),
    Route("/api/images/{image_id:path}", delete_image, methods=["DELETE"]),
    Route("/api/images/{image_id:path}", annotate_image, methods=["PATCH"]),
    Route("/api/echo", echo, methods=_EVERY_METHOD),
    Route("/api/echo/{rest:path}", echo, methods=_EVERY_METHOD),
    Route("/api/events", events, methods=["GET"]),
]
