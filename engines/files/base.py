"""What a file room shows and does: the port between pages and wherever a volume's files are. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

CHUNK_BYTES = 256 * 1024
"""How much is held in memory of a file that streams."""
PIECE_BYTES = 8 * 1024 * 1024
"""So much of an upload is sent in one request; static/js/uploads.js is told."""


class Kind(StrEnum):
    """What an entry of a folder is."""

    FOLDER = "folder"
    FILE = "file"
    LINK = "link"  # a symbolic link: shown and deletable, never followed
    OTHER = "other"  # a pipe, socket or device, or a name that is not text: shown only


class Order(StrEnum):
    """How a folder is sorted: folders first, and last what an engine keeps for itself under a name with a dot in front."""

    NAME = "name"
    NEWEST = "newest"


class Refusal(StrEnum):
    """Why something was not done: a closed vocabulary, so that pages have a sentence for each."""

    BAD_PATH = "bad_path"  # leads out of the volume, or is not a path at all
    BAD_NAME = "bad_name"  # cannot be the name of something new
    NOT_FOUND = "not_found"
    NOT_A_FOLDER = "not_a_folder"
    NOT_A_FILE = "not_a_file"  # a folder, a link, a pipe, ...
    EXISTS = "exists"  # something has that name already; nothing is ever overwritten
    FULL = "full"
    DENIED = "denied"  # the engine has taken the permission away
    TOO_MANY = "too_many"  # files for one archive
    BAD_PIECE = "bad_piece"  # of an upload: it does not fit what it says of itself
    CUT_OFF = "cut_off"  # of an upload: less arrived than was announced; send the piece again
    LOST = "lost"  # the upload's earlier pieces are gone; start anew
    UNAVAILABLE = "unavailable"  # the disk or the way to it failed


class FileRefusal(Exception):
    """A file operation that was refused and changed nothing; `path` is what it was about."""

    def __init__(self, refusal: Refusal, path: str = "") -> None:
        """Keep both for whoever has words for them."""
        super().__init__(f"{refusal}: {path!r}")
        self.refusal = refusal
        self.path = path


@dataclass(frozen=True)
class Entry:
    """One thing in a folder."""

    name: str  # always text; a name that is not is shown with replacement characters
    kind: Kind
    size_bytes: int
    modified_at: datetime  # aware, UTC
    version: str  # another one after each change: what an ETag is made of


@dataclass(frozen=True)
class Listing:
    """Part of a folder's entries; `total` counts all that were looked at, which is all of them if `complete`."""

    entries: Sequence[Entry]
    total: int
    complete: bool = True


@dataclass(frozen=True)
class Extent:
    """How much is below a path: files and their bytes; at least that much if it is not `complete`."""

    files: int
    size_bytes: int
    complete: bool = True


@dataclass(frozen=True)
class Usage:
    """Bytes that the whole volume takes on its disk, and bytes still free there."""

    used_bytes: int
    free_bytes: int | None


@dataclass(frozen=True)
class Piece:
    """Which part of an upload comes next. An upload is cut into pieces, so that each can be sent again by itself."""

    upload: str  # 32 hexadecimal digits of the uploader's choosing
    offset: int  # bytes before it
    length: int  # its own bytes
    size_bytes: int  # of the whole file


class Readable(Protocol):
    """Where the bytes of a piece come from."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""


class Chunks(Protocol):
    """Bytes on their way; whoever stops early calls `close`."""

    def __iter__(self) -> Iterator[bytes]: ...

    def __next__(self) -> bytes: ...

    def close(self) -> None:
        """Let go of what they come from; may be called at any moment and again."""


@dataclass(frozen=True)
class Content:
    """A file, or `length` bytes of it from `start` on, as a stream."""

    entry: Entry
    start: int
    length: int
    chunks: Chunks


class Files(Protocol):
    """The files of one volume. Paths are relative, with `/` between names; the empty path is the volume itself.

    Every call may raise FileRefusal. What an engine changes meanwhile never leads out of the volume.
    """

    def list(self, path: str, *, order: Order = Order.NAME, offset: int = 0, limit: int = 100) -> Listing:
        """Look into a folder."""

    def stat(self, path: str) -> Entry:
        """Look at one file or folder."""

    def extent(self, path: str) -> Extent:
        """Count what is below a path, the path itself included if it is a file."""

    def usage(self) -> Usage:
        """Measure the whole volume."""

    def read(self, path: str, *, start: int = 0, length: int | None = None) -> Content:
        """Open a file; a `start` or `length` beyond its end is cut to what there is."""

    def zip(self, path: str, names: Sequence[str] = ()) -> Chunks:
        """Pack these names of a folder, all of them if none are given, into an archive that is made as it is read."""

    def write(self, path: str, content: Readable, piece: Piece) -> Entry | None:
        """Take one piece of an upload; returns the new file after the last one. The same piece may be sent again."""

    def abandon(self, path: str, upload: str) -> None:
        """Forget an upload that was meant to become `path`."""

    def make_folder(self, path: str) -> None:
        """Create a folder in one that exists."""

    def rename(self, path: str, name: str) -> None:
        """Give a file or folder another name in the same folder."""

    def delete(self, path: str) -> None:
        """Remove a file, a link, or a folder with all that is in it, for good."""
