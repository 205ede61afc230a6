"""Answers whose bytes come from a disk or another server, and pass through with flat memory."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from django.db import connection
from django.http import StreamingHttpResponse

from engines.files.base import Chunks

AT_ONCE = 16
"""Chunks that one process reads at the same moment; a slow reader at the other end takes none of these."""


class StreamedChunks(StreamingHttpResponse):
    """Sends chunks that block while they are read. Django itself would collect a synchronous iterator whole under ASGI."""

    def __init__(self, chunks: Chunks, *, content_type: str, length: int | None = None) -> None:
        """`length` in bytes, where it is known."""
        self._chunks = _OneAtATime(chunks)
        super().__init__(self._chunks, content_type=content_type)
        if length is not None:
            self["Content-Length"] = str(length)
        self["X-Content-Type-Options"] = "nosniff"
        if not connection.in_atomic_block:
            connection.close()  # a stream lasts: its database connection goes back to the pool now

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Read each chunk in a thread; whoever goes away in between leaves the rest unread."""
        loop = asyncio.get_running_loop()
        while (chunk := await loop.run_in_executor(_readers(), self._chunks.next_or_none)) is not None:
            yield chunk


class _OneAtATime:
    """Chunks that are closed only between two reads: a reader that was given up may still be at work in its thread."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._lock = threading.Lock()
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = self.next_or_none()
        if chunk is None:
            raise StopIteration
        return chunk

    def next_or_none(self) -> bytes | None:
        with self._lock:
            return None if self._closed else next(self._chunks, None)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._chunks.close()


@cache
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="files")
