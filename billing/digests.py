"""The seal of a period: a hash over its charges, chained to that of the period before. Pure.

Whoever has the charges can work it out again: SHA-256 of the digest so far and one line of JSON, for each charge by `line_key`,
`revision` and `kind`. Names of people and things are no part of it, so that they may be erased.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

FIELDS = (
    *("line_key", "revision", "kind", "category", "is_correction", "tenant_id", "day", "owner_id", "instance_id", "volume_id"),
    *("run_id", "gpu_class_id", "storage_class", "tag", "price_id", "currency", "starts_at", "ends_at", "seconds"),
    *("quantity_milli", "per_hour", "list_per_hour", "amount", "list_amount", "reason"),
)
"""Of a charge, in this order."""

ORDER = ("line_key", "revision", "kind")


def chain(before: str, rows: Iterable[tuple[Any, ...]]) -> str:
    """Return the digest (64 hexadecimal digits) of rows of FIELDS; `before`: that of the period before, or nothing."""
    digest = before
    for row in rows:
        digest = hashlib.sha256(f"{digest}\n{_text(row)}".encode()).hexdigest()
    return digest or hashlib.sha256(b"").hexdigest()


def _text(row: tuple[Any, ...]) -> str:
    return json.dumps([value if value is None else str(value) for value in row], separators=(",", ":"))
