"""Quantities such as `500m`, `24Gi`, `2`, and what a Pod asks for in them."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.kubernetes.double.resources import Document

SUFFIXES = {"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1)}
SUFFIXES |= {letter: Decimal(1000) ** power for power, letter in enumerate(("k", "M", "G", "T", "P", "E"), 1)}
SUFFIXES |= {letter + "i": Decimal(1024) ** power for power, letter in enumerate(("K", "M", "G", "T", "P", "E"), 1)}


def amount(text: Any) -> Decimal:
    """Read a quantity into a number of its base unit."""
    digits = str(text).rstrip("numkKMGTPEi")
    return Decimal(digits) * SUFFIXES[str(text)[len(digits) :]]


def written(resource: str, value: Decimal) -> str:
    """Write a quantity as a quota tells it: bytes in the largest binary unit that fits, cores in thousandths."""
    if value == value.to_integral_value():
        whole = int(value)
        if resource.rpartition(".")[2] in ("memory", "storage", "ephemeral-storage") and whole:
            for suffix in ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki"):
                if whole % int(SUFFIXES[suffix]) == 0:
                    return f"{whole // int(SUFFIXES[suffix])}{suffix}"
        return str(whole)
    return f"{int(value * 1000)}m"


def requested(pod: Document, part: str = "requests") -> Counter[str]:
    """Sum what the containers of a Pod ask for (`requests`) or may take at most (`limits`)."""
    total: Counter[str] = Counter()
    for container in pod["spec"].get("containers", []):
        for resource, quantity in (container.get("resources", {}).get(part) or {}).items():
            total[resource] += amount(quantity)  # type: ignore[assignment]
    return total


def quality(pod: Document) -> str:
    """Tell the QoS class."""
    parts = [container.get("resources", {}) for container in pod["spec"]["containers"]]
    pairs = [(part.get("requests") or {}, part.get("limits") or {}) for part in parts]
    if not any(resource in side for pair in pairs for side in pair for resource in ("cpu", "memory")):
        return "BestEffort"
    return "Guaranteed" if all(same(*pair) for pair in pairs) else "Burstable"


def same(requests: Mapping[str, Any], limits: Mapping[str, Any]) -> bool:
    return all(name in limits and amount(requests.get(name, limits[name])) == amount(limits[name]) for name in ("cpu", "memory"))
