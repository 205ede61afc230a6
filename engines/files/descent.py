"""The only way to a file: name by name from the root, each opened in the one before, links never followed.

No path is ever joined and handed to the kernel, so neither `..`, nor a link, nor an engine that swaps a folder for a link in
between leads out of the root.
"""

import errno
import itertools
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engines.files import paths
from engines.files.base import Entry, FileRefusal, Kind, Refusal
from engines.files.paths import MAX_DEPTH, Parts

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe that an engine put there would otherwise hold whoever opens it; a terminal would become ours.
FILE_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_REFUSALS = {
    errno.ENOENT: Refusal.NOT_FOUND,
    errno.ENOTDIR: Refusal.NOT_A_FOLDER,
    errno.ELOOP: Refusal.NOT_A_FILE,
    errno.EISDIR: Refusal.NOT_A_FILE,
    errno.ENXIO: Refusal.NOT_A_FILE,  # a socket, or a pipe that nobody reads
    errno.EEXIST: Refusal.EXISTS,
    errno.ENOTEMPTY: Refusal.EXISTS,
    errno.EACCES: Refusal.DENIED,
    errno.EPERM: Refusal.DENIED,
    errno.ENOSPC: Refusal.FULL,
    errno.EDQUOT: Refusal.FULL,
    errno.EFBIG: Refusal.FULL,
    errno.ENAMETOOLONG: Refusal.BAD_PATH,
}
_KINDS = {stat.S_IFDIR: Kind.FOLDER, stat.S_IFREG: Kind.FILE, stat.S_IFLNK: Kind.LINK}


@contextmanager
def refusals(path: str) -> Iterator[None]:
    """Turn errors of the disk into refusals about `path`."""
    try:
        yield
    except OSError as error:
        raise FileRefusal(_REFUSALS.get(error.errno or 0, Refusal.UNAVAILABLE), path) from error


@contextmanager
def folder(root: Path, parts: Parts) -> Iterator[int]:
    """Open a folder and yield its descriptor; OSError for what is not a folder all the way down."""
    descriptor = os.open(root, _FOLDER)
    try:
        for part in parts:
            inner = os.open(part, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def look(name: str, *, within: int) -> os.stat_result:
    """Look at a name in an open folder, and not at what it may link to."""
    return os.stat(name, dir_fd=within, follow_symlinks=False)


def open_file(name: str, *, within: int) -> int:
    """Open a regular file of an open folder for reading; NOT_A_FILE for everything else."""
    if not stat.S_ISREG(look(name, within=within).st_mode):  # to open a device may already do something
        raise FileRefusal(Refusal.NOT_A_FILE, name)
    descriptor = os.open(name, os.O_RDONLY | FILE_FLAGS, dir_fd=within)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileRefusal(Refusal.NOT_A_FILE, name)
    return descriptor


def entry_of(name: str, seen: os.stat_result) -> Entry:
    """Describe what was seen under a name."""
    text = paths.is_text(name)
    return Entry(
        name=name if text else os.fsencode(name).decode(errors="replace"),
        kind=_KINDS.get(stat.S_IFMT(seen.st_mode), Kind.OTHER) if text else Kind.OTHER,
        size_bytes=seen.st_size,
        modified_at=_moment(seen.st_mtime),
        version=f"{seen.st_ino:x}-{seen.st_size:x}-{seen.st_mtime_ns:x}",
    )


def _moment(timestamp: float) -> datetime:
    """Read a file's time, which an engine may have set to anything."""
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Found:
    """Something below a folder."""

    parts: Parts
    seen: os.stat_result

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.seen.st_mode)

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.seen.st_mode)


def list_names(within: int, most: int) -> tuple[list[str], bool]:
    """Return the names in an open folder without unfinished uploads, and whether they are all."""
    with os.scandir(within) as entries:
        names = list(itertools.islice((entry.name for entry in entries if not paths.is_part(entry.name)), most + 1))
    return names[:most], len(names) <= most


def walk(root: Path, top: Parts, *, parts_too: bool = False) -> Iterator[Found]:
    """Yield everything below a folder, unfinished uploads only if asked; what is gone, closed or too deep is left out.

    Holds two descriptors at a time, however deep it goes.
    """
    pending = [top]
    while pending:
        here = pending.pop()
        for found in _entries(root, here):
            if parts_too or not paths.is_part(found.parts[-1]):
                yield found
            if found.is_folder and len(found.parts) < MAX_DEPTH:
                pending.append(found.parts)


def _entries(root: Path, here: Parts) -> Iterator[Found]:
    passing = suppress(FileNotFoundError, NotADirectoryError, PermissionError)
    with passing, folder(root, here) as descriptor, os.scandir(descriptor) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                yield Found((*here, entry.name), entry.stat(follow_symlinks=False))
