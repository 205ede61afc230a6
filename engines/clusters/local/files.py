"""Files that are whole at any moment, and locks that end with their holder."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines.clusters.base import ClusterError, ClusterUnavailable
from engines.reasons import Reason

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LOCK_SECONDS = 10.0


@contextmanager
def disk_errors() -> Iterator[None]:
    """Say DISK_FULL where the disk is full, and that the cluster is away where its files are; usable as a decorator."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise ClusterError(Reason.DISK_FULL, str(error)) from error
        raise ClusterUnavailable(str(error)) from error


def write_whole(path: Path, content: bytes, *, durable: bool) -> None:
    """Replace a file so that any reader, and whoever comes after a killed writer, sees all of the old or all of the new.

    `durable` costs 1 to 100 ms and brings it through a power failure too; without, that may leave the file empty.
    The caller holds the lock that guards the file, so one temporary name is enough and a cut-off leaves no litter.
    """
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        # The kernel's own stamp has a grain of milliseconds: two changes within one would look like none.
        os.utime(descriptor, ns=(time.time_ns(),) * 2)
        if durable:
            os.fsync(descriptor)
    except OSError:
        temporary.unlink()
        raise
    finally:
        os.close(descriptor)
    temporary.replace(path)


def read_whole(path: Path) -> bytes:
    """Read what `write_whole` wrote; empty if it is not there or a power failure took it."""
    try:
        with path.open("rb") as file:
            return file.read().strip(b"\0")
    except FileNotFoundError:
        return b""


@contextmanager
def locked(path: Path, *, seconds: float = _LOCK_SECONDS) -> Iterator[int]:
    """Hold a lock between processes and threads, yielding its descriptor; ClusterUnavailable after `seconds`.

    It belongs to the open file: a child that inherits the descriptor holds on until it closes it too.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(descriptor, path, time.monotonic() + seconds)
        yield descriptor
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise ClusterUnavailable(f"{path} is locked by another process") from None
            time.sleep(0.002)
        else:
            return
