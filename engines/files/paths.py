"""Which paths there can be. Nothing here touches a disk: what these functions let through is opened name by name."""

import re
import unicodedata

from engines.files.base import FileRefusal, Refusal

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 4096
MAX_DEPTH = 128
_UPLOAD = re.compile(r"[0-9a-f]{32}")
_PART = re.compile(r"\.[0-9a-f]{32}\.aigc-part")

Parts = tuple[str, ...]


def split(path: str) -> Parts:
    """Return the names in a relative path, none for the volume itself; BAD_PATH for whatever could lead elsewhere."""
    if path == "":
        return ()
    parts = tuple(path.split("/"))
    if len(parts) > MAX_DEPTH or _length(path) > MAX_PATH_BYTES or not all(_is_name(part) for part in parts):
        raise FileRefusal(Refusal.BAD_PATH, path)
    return parts


def split_last(path: str) -> tuple[Parts, str]:
    """Return the folder and the name in it; BAD_PATH for the volume itself too."""
    parts = split(path)
    if not parts:
        raise FileRefusal(Refusal.BAD_PATH, path)
    return parts[:-1], parts[-1]


def check_new_name(name: str) -> None:
    """Refuse with BAD_NAME what a person would not see, could not type, or could take for something else."""
    invisible = any(unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp", "Cs"} for character in name)
    if not _is_name(name) or invisible or name != name.strip() or "\\" in name:
        raise FileRefusal(Refusal.BAD_NAME, name)


def part_name(upload: str) -> str:
    """Return where an unfinished upload lies, in the folder that it is meant for; BAD_PIECE for what is no id of one."""
    if not _UPLOAD.fullmatch(upload):
        raise FileRefusal(Refusal.BAD_PIECE, upload)
    return f".{upload}.aigc-part"


def is_part(name: str) -> bool:
    """Tell whether a file is an unfinished upload, which nobody is shown."""
    return _PART.fullmatch(name) is not None


def is_text(name: str) -> bool:
    """Tell whether a name from the disk can be written to people and addresses."""
    return _length(name) >= 0


def _is_name(part: str) -> bool:
    plain = part not in {"", ".", ".."} and not set("\0/") & set(part)
    return plain and 0 < _length(part) <= MAX_NAME_BYTES and not is_part(part)


def _length(text: str) -> int:
    """Count bytes on the disk; -1 for what is not text."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return -1
