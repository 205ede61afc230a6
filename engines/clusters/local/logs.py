"""An engine's output: bounded on disk, read in pieces."""

import codecs
import os
from pathlib import Path

from engines.clusters.base import LogChunk

LIMIT_BYTES = 20 * 1024 * 1024
KEEP_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 256 * 1024


def read(run_id: str, log: Path, *, cursor: str, tail_bytes: int) -> LogChunk:
    """Read on from `cursor` (`run:offset`), from the beginning if it is another run's, or the tail without one."""
    try:
        size = log.stat().st_size
    except FileNotFoundError:
        return LogChunk("", cursor)
    offset, skip_partial = _start(run_id, cursor, size, tail_bytes)
    with log.open("rb") as file:
        file.seek(offset)
        data = file.read(CHUNK_BYTES if cursor else tail_bytes)
    if skip_partial:
        # A tail begins in the middle of a character, which is not shown.
        lead = next((index for index, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), 0)
        offset, data = offset + lead, data[lead:]
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    text = decoder.decode(data)
    unread = len(decoder.getstate()[0])
    return LogChunk(text, f"{run_id}:{offset + len(data) - unread}")


def _start(run_id: str, cursor: str, size: int, tail_bytes: int) -> tuple[int, bool]:
    if not cursor:
        start = max(0, size - tail_bytes)
        return start, start > 0
    owner, _, offset = cursor.rpartition(":")
    if owner != run_id or not offset.isdigit() or int(offset) > size:
        return 0, False  # a newer run, or the file was cut down meanwhile
    return int(offset), False


def bound(log: Path) -> None:
    """Cut a log that has grown too long down to its end. The engine appends, so it goes on writing behind that."""
    try:
        with log.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size <= LIMIT_BYTES:
                return
            file.seek(size - KEEP_BYTES)
            tail = file.read()
            file.seek(0)
            file.write(b"[the beginning of this log was cut off]\n" + tail.partition(b"\n")[2])
            file.truncate()
    except FileNotFoundError:
        return


def last_lines(log: Path, count: int = 20) -> str:
    """The end of a log, as evidence."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 8192))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return ""
