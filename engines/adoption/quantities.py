"""Kubernetes quantities as whole numbers of the catalog's units (`500m`, `4`, `16Gi`, `2e3`), and ports."""

import math
import re
from decimal import Decimal, InvalidOperation

_SUFFIXES = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}
_QUANTITY = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]{1,2})?)([a-zA-Z]{0,2})")


def amount(quantity: object) -> Decimal | None:
    """The plain number that a quantity stands for; None for what is no positive quantity."""
    match = None if isinstance(quantity, bool) else _QUANTITY.fullmatch(str(quantity))
    if match is None or match[2] not in _SUFFIXES:
        return None
    try:
        number = Decimal(match[1]) * _SUFFIXES[match[2]]
    except InvalidOperation:
        return None
    return number if number > 0 else None


def millis(quantity: object) -> int | None:
    """Thousandths of a core, rounded up."""
    number = amount(quantity)
    return None if number is None else math.ceil(number * 1000)


def mib(quantity: object) -> int | None:
    """MiB of a quantity of bytes, rounded up."""
    number = amount(quantity)
    return None if number is None else math.ceil(number / 1024**2)


def whole(quantity: object) -> int | None:
    """A count, such as that of GPUs, which Kubernetes knows only in whole numbers."""
    number = amount(quantity)
    return int(number) if number is not None and number == int(number) else None


def port(value: object) -> int:
    """A port, written as a number or in digits; 0 for anything else."""
    digits = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 and 0 < int(digits) < 65536 else 0
