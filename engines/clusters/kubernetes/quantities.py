"""Kubernetes quantities, such as 500m, 8Gi and 1e3, as exact numbers. Pure."""

import re
from decimal import Decimal, InvalidOperation

_SUFFIXES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}
_FORM = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)")


def quantity(text: object) -> Decimal:
    """Return the number that a quantity stands for, in bytes, cores or pieces; 0 for what is none."""
    found = _FORM.fullmatch(str(text).strip())
    if found is None or found[2] not in _SUFFIXES:
        return Decimal(0)
    try:
        return Decimal(found[1]) * _SUFFIXES[found[2]]
    except InvalidOperation:
        return Decimal(0)
