"""PNG files with their parameters inside, and a reader of those that needs no image library."""

import base64
import io
import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from engines.demo_engine.generator import Pixels

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LARGEST_TEXT = 1 << 20
PREVIEW_PIXELS = 320


def encode_png(pixels: "Pixels", infotext: str, facts: Mapping[str, Any]) -> bytes:
    """(height, width, 3) pixels to a file with a `parameters` chunk (SD WebUI's form) and a `loom` chunk (JSON)."""
    from PIL import Image, PngImagePlugin  # noqa: PLC0415  # start-up must not wait for it

    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", infotext)
    info.add_text("loom", json.dumps(facts, sort_keys=True))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=info, compress_level=4)
    return buffer.getvalue()


def encode_preview(pixels: "Pixels") -> str:
    """A small JPEG as base64, for the page and for `current_image`."""
    from PIL import Image  # noqa: PLC0415  # start-up must not wait for it

    image = Image.fromarray(pixels)
    image.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return base64.b64encode(buffer.getvalue()).decode()


def encode_thumbnail(path: Path) -> bytes:
    """A small JPEG of a saved picture, for the gallery."""
    from PIL import Image  # noqa: PLC0415  # start-up must not wait for it

    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def read_texts(path: Path) -> dict[str, str]:
    """The text chunks before the pixels; an unreadable file has none."""
    with path.open("rb") as file:
        if file.read(8) != _SIGNATURE:
            return {}
        return dict(_texts(file))


def read_facts(path: Path) -> dict[str, Any]:
    """The `loom` chunk, or an empty dict for a picture from elsewhere."""
    try:
        facts = json.loads(read_texts(path).get("loom", "{}"))
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _texts(file: BinaryIO) -> list[tuple[str, str]]:
    found = []
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        if kind == b"IDAT" or length > _LARGEST_TEXT:
            break
        body = file.read(length)
        file.read(4)
        if kind == b"tEXt":
            key, _, value = body.partition(b"\0")
            found.append((key.decode("latin-1"), value.decode("latin-1")))
        elif kind == b"iTXt":
            found.append(_international(body))
    return found


def _international(body: bytes) -> tuple[str, str]:
    key, _, rest = body.partition(b"\0")
    compressed, rest = rest[:1] == b"\x01", rest[2:]
    value = rest.split(b"\0", 2)[-1]
    return key.decode("latin-1"), (zlib.decompress(value) if compressed else value).decode("utf-8", "replace")
