"""A zip archive that is made while it is read: nothing of it is kept but the list of its members."""

import re
import zipfile
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from engines.files.base import FileRefusal

_BIG_BYTES = 1 << 30  # from here on a member is written in the form for more than 4 GiB
_LEFT_OUT = "_left-out.txt"
# Windows takes some of these for folders or devices; the last are bytes that are not text.
_UNSAFE = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f\ud800-\udfff]')


@dataclass(frozen=True)
class Member:
    """A file or an empty folder in the archive."""

    name: str
    modified_at: datetime
    size_bytes: int
    chunks: Iterable[bytes] | None  # None for a folder


class _Sink:
    """What zipfile writes to; it cannot seek, so zipfile never goes back."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> list[bytes]:
        """Return what was written since the last time."""
        written, self._written = self._written, []
        return written


def pack(members: Iterable[Member]) -> Generator[bytes, None, None]:
    """Yield an archive. Pictures and models hardly shrink, so members are stored as they are.

    A member that cannot be read is left out or cut, and named in a text file at the end.
    """
    sink, left_out = _Sink(), list[str]()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as book:
        for member in members:
            try:
                for _ in _add(book, member):
                    yield from sink.take()
            except (OSError, FileRefusal):
                left_out.append(member.name)
            yield from sink.take()
        if left_out:
            book.writestr(_info(_LEFT_OUT, datetime.now(UTC)), "\n".join(["These could not be read:", *left_out, ""]))
    yield from sink.take()


def _add(book: zipfile.ZipFile, member: Member) -> Iterator[None]:
    """Write one member, pausing after each chunk."""
    if member.chunks is None:
        book.writestr(_info(f"{member.name}/", member.modified_at), b"")
        return
    chunks = iter(member.chunks)
    first = next(chunks, b"")  # opened before its header is written: what cannot be read leaves no trace
    with book.open(_info(member.name, member.modified_at), "w", force_zip64=member.size_bytes >= _BIG_BYTES) as target:
        target.write(first)
        yield
        for chunk in chunks:
            target.write(chunk)
            yield


def _info(name: str, modified_at: datetime) -> zipfile.ZipInfo:
    at = modified_at if 1980 <= modified_at.year <= 2107 else datetime(1980, 1, 1, tzinfo=UTC)
    info = zipfile.ZipInfo(name, at.timetuple()[:6])
    info.external_attr = (0o40755 << 16 | 0x10) if name.endswith("/") else 0o100644 << 16
    return info


def safe_name(name: str) -> str:
    """Return a name that no unpacking program takes for a way out of its folder, whatever an engine called its file."""
    return _UNSAFE.sub("_", name)
