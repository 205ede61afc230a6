"""Files that are either wholly there or not at all, whatever happens in between."""

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskFull(Exception):
    """No room (or quota) left in the data directory; what was stored before is untouched."""

    def __init__(self) -> None:
        super().__init__("The disk is full: nothing was saved. Delete pictures you no longer need, or ask for a larger volume.")


class DirectoryInUse(Exception):
    """Another process works on this data directory."""


@contextmanager
def disk_full_told() -> Iterator[None]:
    """Turn the system's ways to say "no room" into DiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFull from error
        raise


@contextmanager
def new_file(data_dir: Path, final: Path) -> Iterator[BinaryIO]:
    """A file to write; it appears as `final` once it is on the disk, and leaves nothing behind if anything fails."""
    with disk_full_told():
        scratch = data_dir / ".tmp"
        scratch.mkdir(exist_ok=True)
        final.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=scratch)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(name).rename(final)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_directory(final.parent)


def write_file(data_dir: Path, final: Path, content: bytes) -> None:
    """Replace or create `final` in one step."""
    with new_file(data_dir, final) as file:
        file.write(content)


def sync_directory(directory: Path) -> None:
    """Make names created in or removed from the directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(data_dir: Path) -> None:
    """Delete what a killed process was writing; only for the holder of the lock."""
    scratch = data_dir / ".tmp"
    if scratch.is_dir():
        for path in scratch.iterdir():
            path.unlink()


def lock_directory(data_dir: Path) -> BinaryIO:
    """Hold the data directory until the returned file is closed or the process ends, however it ends."""
    file = (data_dir / ".loom-lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise DirectoryInUse(f"Another Loom is using {data_dir}. Stop it first.") from error
    return file
