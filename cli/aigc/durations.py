"""Lengths of time as people type them."""

import re

from aigc.failures import Misused

_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
_PART = re.compile(r"(\d+)\s*(min|[smhd]?)")


def seconds_of(text: str) -> int:
    """Return the seconds of `90`, `90s`, `15m`, `2h` or `1h30m`; Misused for anything else, and for nothing."""
    written = text.strip().lower()
    parts = _PART.findall(written)
    if not parts or _PART.sub("", written).strip():
        raise Misused(f"{text} is no length of time. Write it like 90s, 15m, 2h or 1h30m.")
    total = sum(int(number) * _UNITS[unit] for number, unit in parts)
    if not total:
        raise Misused("No time at all is not enough.")
    return total
