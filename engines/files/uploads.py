"""Uploads, piece by piece: into a hidden file beside the place they are meant for, which then gets its name in one step."""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engines.files import paths
from engines.files.base import CHUNK_BYTES, Entry, FileRefusal, Piece, Readable, Refusal
from engines.files.descent import FILE_FLAGS, entry_of, folder, look, refusals

FORGOTTEN_SECONDS = 86_400.0
"""After this long without a new piece an upload is given up, when the next one comes into the same folder."""
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES})
# Readable for the engine's group as well: it may run as another user than the file room.
FILE_MODE = 0o664


def write(root: Path, path: str, content: Readable, piece: Piece) -> Entry | None:
    """Take one piece; see Files.write."""
    parents, name = paths.split_last(path)
    paths.check_new_name(name)
    part = paths.part_name(piece.upload)
    if min(piece.offset, piece.length) < 0 or piece.offset + piece.length > piece.size_bytes:
        raise FileRefusal(Refusal.BAD_PIECE, path)
    with refusals(path), folder(root, parents) as within:
        if piece.offset == 0:
            _check_place(within, name, path, piece)
        with _part(within, part, path, new=piece.offset == 0) as descriptor:
            try:
                _fill(descriptor, content, piece, path)
            except OSError:
                _discard(within, part)
                raise
            if piece.offset + piece.length < piece.size_bytes:
                return None
            os.fsync(descriptor)
            place(within, part, name)
        return entry_of(name, look(name, within=within))


def abandon(root: Path, path: str, upload: str) -> None:
    """Remove what has come of an upload; does nothing if nothing has."""
    parents, _name = paths.split_last(path)
    with refusals(path), folder(root, parents) as within:
        _discard(within, paths.part_name(upload))


def place(within: int, old: str, new: str) -> None:
    """Give a file of an open folder another name there, unless something has that name; FileExistsError then."""
    try:
        os.link(old, new, src_dir_fd=within, dst_dir_fd=within, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        move(within, old, new)  # a file system without hard links
    else:
        os.unlink(old, dir_fd=within)
        os.fsync(within)


def move(within: int, old: str, new: str) -> None:
    """As `place`, for folders too; here two people who choose one name at the same moment are not kept apart."""
    if exists(within, new):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
    os.rename(old, new, src_dir_fd=within, dst_dir_fd=within)
    os.fsync(within)


def exists(within: int, name: str) -> bool:
    """Tell whether an open folder has something of this name."""
    try:
        look(name, within=within)
    except FileNotFoundError:
        return False
    return True


def _check_place(within: int, name: str, path: str, piece: Piece) -> None:
    """Refuse before gigabytes were sent for nothing."""
    _forget_old(within)
    if exists(within, name):
        raise FileRefusal(Refusal.EXISTS, path)
    room = os.fstatvfs(within)
    if piece.size_bytes > room.f_bavail * room.f_frsize:
        raise FileRefusal(Refusal.FULL, path)


@contextmanager
def _part(within: int, part: str, path: str, *, new: bool) -> Iterator[int]:
    """Open the unfinished file for one writer at a time."""
    try:
        descriptor = os.open(part, os.O_WRONLY | FILE_FLAGS | (os.O_CREAT if new else 0), FILE_MODE, dir_fd=within)
    except FileNotFoundError as error:
        raise FileRefusal(Refusal.LOST, path) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileRefusal(Refusal.NOT_A_FILE, path)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.fchmod(descriptor, FILE_MODE)
        yield descriptor
    finally:
        os.close(descriptor)


def _fill(descriptor: int, content: Readable, piece: Piece, path: str) -> None:
    if os.fstat(descriptor).st_size < piece.offset:
        raise FileRefusal(Refusal.LOST, path)
    os.ftruncate(descriptor, piece.offset)
    os.lseek(descriptor, piece.offset, os.SEEK_SET)
    missing = piece.length
    while missing:
        chunk = content.read(min(missing, CHUNK_BYTES))
        if not chunk:
            raise FileRefusal(Refusal.CUT_OFF, path)
        missing -= len(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(descriptor, view) :]


def _discard(within: int, part: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(part, dir_fd=within)


def _forget_old(within: int) -> None:
    before = time.time() - FORGOTTEN_SECONDS
    with os.scandir(within) as entries:
        old = [
            entry.name for entry in entries if paths.is_part(entry.name) and entry.stat(follow_symlinks=False).st_mtime < before
        ]
    for name in old:
        _discard(within, name)
