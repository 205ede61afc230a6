"""An open file as a stream of chunks."""

import os
from collections.abc import Iterator

from engines.files.base import CHUNK_BYTES, FileRefusal, Refusal


class FileChunks:
    """`length` bytes of an open file from `start` on; owns the descriptor and closes it at the end.

    A file that an engine shortens meanwhile ends in a refusal: whoever was promised more bytes must not take these for all.
    """

    def __init__(self, descriptor: int, path: str) -> None:
        self.seen = os.fstat(descriptor)
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        self._path = path
        self._left = 0

    def cut(self, start: int, length: int) -> "FileChunks":
        """Choose what is read."""
        self._file.seek(start)
        self._left = length
        if not length:
            self.close()
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._left:
            self.close()
            raise StopIteration
        try:
            chunk = self._file.read(min(self._left, CHUNK_BYTES))
        except (OSError, ValueError) as error:  # ValueError: closed by whoever asked for it
            raise FileRefusal(Refusal.UNAVAILABLE, self._path) from error
        if not chunk:
            self.close()
            raise FileRefusal(Refusal.UNAVAILABLE, self._path)
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        """Close the file."""
        self._file.close()
