"""Thumbnails of pictures that engines made: hostile files, so bytes and pixels are limited before anything is decoded."""

import io
import threading
from collections.abc import Iterable

from PIL import Image, ImageOps, UnidentifiedImageError

EDGE_PIXELS = 320
MAX_SOURCE_BYTES = 48 * 1024 * 1024
MAX_SOURCE_PIXELS = 40_000_000  # 160 MB decoded
AT_ONCE = 2
WAIT_SECONDS = 20.0
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
# The warning is an exception where warnings are errors.
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_BROKEN = (OSError, ValueError, SyntaxError, UnidentifiedImageError, *_BOMBS)
_decoding = threading.BoundedSemaphore(AT_ONCE)
# What a browser may show by itself. Never text, HTML or SVG: an engine's code would run as the portal's.
CONTENT_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
}


class NoThumbnail(Exception):
    """This file has none: it is no picture, a broken one, or too large to be decoded here."""


class TooBusy(Exception):
    """Other pictures are being decoded; ask again."""


def content_type(name: str) -> str | None:
    """Return the type of a picture that browsers show safely, by the end of its name; None for everything else."""
    return CONTENT_TYPES.get(name.rpartition(".")[2].lower()) if "." in name else None


def thumbnail(chunks: Iterable[bytes]) -> bytes:
    """Return a picture of at most EDGE_PIXELS as WebP without metadata; at most AT_ONCE are decoded at a time."""
    source = _collect(chunks)
    if not _decoding.acquire(timeout=WAIT_SECONDS):
        raise TooBusy
    try:
        return _shrink(source)
    except _BROKEN as error:
        raise NoThumbnail from error
    finally:
        _decoding.release()


def _collect(chunks: Iterable[bytes]) -> bytes:
    source = bytearray()
    for chunk in chunks:
        source += chunk
        if len(source) > MAX_SOURCE_BYTES:
            raise NoThumbnail
    return bytes(source)


def _shrink(source: bytes) -> bytes:
    with Image.open(io.BytesIO(source), formats=_FORMATS) as image:
        if image.width * image.height > MAX_SOURCE_PIXELS:
            raise NoThumbnail
        image.draft("RGB", (EDGE_PIXELS * 2, EDGE_PIXELS * 2))  # a JPEG is decoded no larger than needed
        image.thumbnail((EDGE_PIXELS, EDGE_PIXELS))
        upright = ImageOps.exif_transpose(image)
        small = upright.convert("RGBA" if "transparency" in image.info or image.mode in {"RGBA", "LA", "PA"} else "RGB")
    target = io.BytesIO()
    small.save(target, "WEBP", quality=80, method=2)
    return target.getvalue()
