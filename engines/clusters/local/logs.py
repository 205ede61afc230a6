"""Engines' output: followed by offset, bounded by giving the beginning back to the disk."""

import ctypes
import errno
import os
from pathlib import Path

from engines.clusters.base import LogChunk

KEEP_BYTES = 16 * 1024 * 1024
_SLACK_BYTES = 4 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024
_PUNCH_HOLE_KEEP_SIZE = 0x03  # linux/falloc.h
_NOT_POSSIBLE = {errno.EOPNOTSUPP, errno.ENOSYS}


def read(path: Path, run_id: str, *, cursor: str, tail_bytes: int) -> LogChunk:
    """Read on from a cursor (`<run>:<offset>`), or the tail; at most 1 MiB at once. A log that is not there is empty."""
    try:
        with path.open("rb") as log:
            size = os.fstat(log.fileno()).st_size
            begin = _offset(cursor, run_id, size) if cursor else size - tail_bytes
            # What was given back to the disk reads as zeros.
            start = max(begin, _kept_from(size), 0)
            log.seek(start)
            raw = log.read(_PIECE_BYTES)
    except FileNotFoundError:
        return LogChunk("", cursor)
    whole = raw[: _whole_characters(raw)]
    text = whole if start == 0 or (start == begin and cursor) else _without_cut_character(whole)
    return LogChunk(text.decode(errors="replace"), f"{run_id}:{start + len(whole)}")


def _offset(cursor: str, run_id: str, size: int) -> int:
    """Where a cursor points; the beginning for one of another run, or of before the log was truncated."""
    run, _, offset = cursor.partition(":")
    return int(offset) if run == run_id and offset.isdigit() and int(offset) <= size else 0


def bound(path: Path) -> None:
    """Free all but the last 16 MiB. Offsets stay as they are, and no line is lost between a copy and a cut."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return
    if state.st_blocks * 512 <= KEEP_BYTES + _SLACK_BYTES:
        return
    with path.open("rb+") as log:
        if not _punch(log.fileno(), _kept_from(state.st_size)):
            log.truncate(0)


def _kept_from(size: int) -> int:
    return max(0, size - KEEP_BYTES) // 4096 * 4096


def _punch(descriptor: int, length: int) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "fallocate"):
        return False
    done = bool(libc.fallocate(descriptor, _PUNCH_HOLE_KEEP_SIZE, ctypes.c_long(0), ctypes.c_long(length)) == 0)
    if not done and ctypes.get_errno() not in _NOT_POSSIBLE:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done


def _whole_characters(raw: bytes) -> int:
    """Length without a character whose last bytes are still to come."""
    for back in range(1, min(4, len(raw)) + 1):
        byte = raw[-back]
        if byte & 0xC0 == 0x80:
            continue  # inside a character: look for its first byte
        length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return len(raw) - back if length > back else len(raw)
    return len(raw)


def _without_cut_character(raw: bytes) -> bytes:
    start = 0
    while start < min(3, len(raw)) and raw[start] & 0xC0 == 0x80:
        start += 1
    return raw[start:]
