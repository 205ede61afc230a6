"""An engine's log, followed live."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

from django.db import connection
from django.http import StreamingHttpResponse

from engines.queries.logs import LogSource

READ_EVERY_SECONDS = 0.5
# Whoever follows comes back by itself after this long, and is asked again who it is.
STREAM_SECONDS = 60
QUIET_SECONDS = 15


class FollowedLog(StreamingHttpResponse):
    """What the engine writes from a cursor on, as server-sent events whose id is the next cursor."""

    def __init__(self, source: LogSource, cursor: str) -> None:
        """Give the database connection back before the stream begins: it lasts."""
        super().__init__(follow_log(source, cursor), content_type="text/event-stream")
        self["Cache-Control"] = "no-store"
        self["X-Accel-Buffering"] = "no"
        if not connection.in_atomic_block:
            connection.close()


async def follow_log(source: LogSource, cursor: str, *, seconds: float = STREAM_SECONDS) -> AsyncIterator[str]:
    """Yield events until the time is up; whoever consumes them may stop at any moment."""
    end = spoke = time.monotonic()
    end += seconds
    yield "retry: 500\n\n"
    while time.monotonic() < end:
        chunk = await asyncio.to_thread(source.read, cursor)
        if chunk is not None and chunk.text:
            cursor, spoke = chunk.cursor, time.monotonic()
            yield f"id: {_one_line(cursor)}\ndata: {json.dumps(chunk.text)}\n\n"
        elif time.monotonic() - spoke > QUIET_SECONDS:
            spoke = time.monotonic()
            yield ": still here\n\n"
        await asyncio.sleep(READ_EVERY_SECONDS)


def _one_line(cursor: str) -> str:
    return cursor.replace("\n", "").replace("\r", "")
