"""The header Range, as far as a download that goes on where it ended needs it (RFC 9110, section 14)."""

import re

_SIMPLE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class BadRange(Exception):
    """Nothing of the file lies within the range."""


def parse_range(header: str, size_bytes: int) -> tuple[int, int] | None:
    """Return start and length; None for the whole file, which any header but one simple range asks for."""
    found = _SIMPLE.fullmatch(header.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        length = min(int(last), size_bytes)
        start = size_bytes - length
    else:
        start = int(first)
        end = min(int(last), size_bytes - 1) if last else size_bytes - 1
        if last and int(last) < start:
            return None
        length = end - start + 1
    if length <= 0:
        raise BadRange
    return start, length
