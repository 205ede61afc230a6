"""The files below one directory of this machine."""

import heapq
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from engines.files import paths, uploads
from engines.files.archive import Member, pack, safe_name
from engines.files.base import Chunks, Content, Entry, Extent, FileRefusal, Kind, Listing, Order, Piece, Readable, Refusal, Usage
from engines.files.descent import Found, entry_of, folder, list_names, look, open_file, refusals, walk
from engines.files.paths import Parts
from engines.files.reading import FileChunks

MAX_ENTRIES = 20_000
"""So many of one folder are looked at, or below one path counted: a folder that an engine filled must not fill our memory."""
MAX_ARCHIVED = 50_000
MEASURE_SECONDS = 60.0
_FOLDER_MODE = 0o775
_DIGITS = re.compile(r"(\d+)")


class Store:
    """The port Files, for a directory. Keeps nothing open between calls and may be used by many threads at once."""

    def __init__(self, root: Path) -> None:
        """`root` itself must be a directory, not a link to one."""
        self._root = root

    def list(self, path: str, *, order: Order = Order.NAME, offset: int = 0, limit: int = 100) -> Listing:
        """Look into a folder; of one with more than MAX_ENTRIES, at some of them."""
        parts = paths.split(path)
        with refusals(path), folder(self._root, parts) as within:
            names, complete = list_names(within, MAX_ENTRIES)
            seen = [(name, state) for name in names if (state := _look_if_there(name, within)) is not None]
        wanted = heapq.nsmallest(offset + limit, seen, key=_SORT_KEYS[order])[offset:]
        return Listing([entry_of(name, state) for name, state in wanted], len(seen), complete)

    def stat(self, path: str) -> Entry:
        parts = paths.split(path)
        with refusals(path), folder(self._root, parts[:-1]) as within:
            return entry_of(parts[-1], look(parts[-1], within=within)) if parts else entry_of("", os.fstat(within))

    def extent(self, path: str) -> Extent:
        """Count what is below a path, up to MAX_ENTRIES."""
        entry = self.stat(path)
        if entry.kind != Kind.FOLDER:
            return Extent(1, entry.size_bytes)
        files, size_bytes = 0, 0
        for number, found in enumerate(walk(self._root, paths.split(path)), 1):
            if not found.is_folder:
                files += 1
                size_bytes += found.seen.st_size
            if number == MAX_ENTRIES:
                return Extent(files, size_bytes, complete=False)
        return Extent(files, size_bytes)

    def usage(self) -> Usage:
        """Add up the blocks of everything; UNAVAILABLE if that takes more than a minute."""
        deadline = time.monotonic() + MEASURE_SECONDS
        with refusals(""), folder(self._root, ()) as root:
            device, disk = os.fstat(root).st_dev, os.fstatvfs(root)
        linked: set[int] = set()
        used = 0
        for found in walk(self._root, (), parts_too=True):
            seen = found.seen
            if time.monotonic() > deadline:
                raise FileRefusal(Refusal.UNAVAILABLE)
            if seen.st_dev != device or seen.st_ino in linked:
                continue  # something mounted there, or a second name of the same file
            if seen.st_nlink > 1 and not found.is_folder:
                linked.add(seen.st_ino)
            used += seen.st_blocks * 512
        return Usage(used, disk.f_bavail * disk.f_frsize)

    def read(self, path: str, *, start: int = 0, length: int | None = None) -> Content:
        parents, name = paths.split_last(path)
        with refusals(path), folder(self._root, parents) as within:
            chunks = FileChunks(open_file(name, within=within), path)
        start = min(max(start, 0), chunks.seen.st_size)
        rest = chunks.seen.st_size - start
        length = rest if length is None else min(max(length, 0), rest)
        return Content(entry_of(name, chunks.seen), start, length, chunks.cut(start, length))

    def zip(self, path: str, names: Sequence[str] = ()) -> Chunks:
        """Pack names of a folder; TOO_MANY beyond MAX_ARCHIVED members, said before the first byte."""
        top = paths.split(path)
        with refusals(path), folder(self._root, top):
            chosen = [(*top, *parents, name) for parents, name in map(paths.split_last, names)]
        for number, _found in enumerate(self._chosen(top, chosen)):
            if number == MAX_ARCHIVED:
                raise FileRefusal(Refusal.TOO_MANY, path)
        return pack(self._member(found, len(top)) for found in self._chosen(top, chosen))

    def write(self, path: str, content: Readable, piece: Piece) -> Entry | None:
        return uploads.write(self._root, path, content, piece)

    def abandon(self, path: str, upload: str) -> None:
        uploads.abandon(self._root, path, upload)

    def make_folder(self, path: str) -> None:
        parents, name = paths.split_last(path)
        paths.check_new_name(name)
        with refusals(path), folder(self._root, parents) as within:
            os.mkdir(name, _FOLDER_MODE, dir_fd=within)
        with refusals(path), folder(self._root, (*parents, name)) as made:
            os.fchmod(made, _FOLDER_MODE)  # whatever the mask of this process

    def rename(self, path: str, name: str) -> None:
        parents, old = paths.split_last(path)
        paths.check_new_name(name)
        with refusals("/".join((*parents, name))), folder(self._root, parents) as within:
            is_folder = stat.S_ISDIR(look(old, within=within).st_mode)
            (uploads.move if is_folder else uploads.place)(within, old, name)

    def delete(self, path: str) -> None:
        parents, name = paths.split_last(path)
        with refusals(path), folder(self._root, parents) as within:
            if not stat.S_ISDIR(look(name, within=within).st_mode):
                os.unlink(name, dir_fd=within)
                return
            try:
                shutil.rmtree(name, dir_fd=within)  # by descriptors: a folder that becomes a link meanwhile is not entered
            except RecursionError as error:
                raise FileRefusal(Refusal.DENIED, path) from error

    def _chosen(self, top: Parts, chosen: Sequence[Parts]) -> Iterator[Found]:
        """Yield everything at and below the chosen paths, or below `top`; NOT_FOUND for a path that is not there."""
        if not chosen:
            yield from walk(self._root, top)
        for parts in chosen:
            with refusals("/".join(parts)), folder(self._root, parts[:-1]) as within:
                found = Found(parts, look(parts[-1], within=within))
            yield found
            if found.is_folder:
                yield from walk(self._root, parts)

    def _member(self, found: Found, depth: int) -> Member:
        entry = entry_of(found.parts[-1], found.seen)
        name = "/".join(safe_name(part) for part in found.parts[depth:])
        return Member(name, entry.modified_at, entry.size_bytes, None if found.is_folder else self._stream(found.parts))

    def _stream(self, parts: Parts) -> Iterator[bytes]:
        """Read a file that the disk named, so that its name need not be text."""
        path = "/".join(parts)
        with refusals(path), folder(self._root, parts[:-1]) as within:
            chunks = FileChunks(open_file(parts[-1], within=within), path)
        yield from chunks.cut(0, chunks.seen.st_size)


def _look_if_there(name: str, within: int) -> os.stat_result | None:
    try:
        return look(name, within=within)
    except FileNotFoundError:
        return None  # gone since the folder was read


_Seen = tuple[str, os.stat_result]


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort `2` before `10`."""
    return [(int(word), "") if word.isdecimal() else (0, word) for word in _DIGITS.split(name.casefold())]


def _by_name(each: _Seen) -> tuple[object, ...]:
    name, state = each
    return name.startswith("."), not stat.S_ISDIR(state.st_mode), _natural(name), name


def _by_time(each: _Seen) -> tuple[object, ...]:
    name, state = each
    return name.startswith("."), not stat.S_ISDIR(state.st_mode), -state.st_mtime_ns, name


_SORT_KEYS: dict[Order, Callable[[_Seen], tuple[object, ...]]] = {Order.NAME: _by_name, Order.NEWEST: _by_time}
