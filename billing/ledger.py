"""From what the books say to what they should say: the rows that are missing. Touches no database."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from billing.models import Charge
from billing.rating import Rated

_SHARED = (
    *("line_key", "instance_id", "run_id", "tenant_id", "owner_id", "gpu_class_id"),
    *("price_id", "currency", "per_hour", "starts_at", "ends_at"),
)
"""What a reversal has in common with the row that it takes back."""


@dataclass(slots=True)
class _Line:
    """The latest word of the books about a line."""

    starts_at: datetime
    revision: int
    standing: Charge | None  # None: it was taken back


def missing_rows(
    desired: Mapping[uuid.UUID, Rated], history: Iterable[Charge], *, instance_id: uuid.UUID, now: datetime
) -> list[Charge]:
    """Compare line by line and return what to post, in order; equal lines are left alone, so a second time yields nothing.

    `history`: every row ever posted about the lines in question, oldest first.
    """
    lines: dict[uuid.UUID, _Line] = {}
    for charge in history:
        standing = None if charge.kind == Charge.Kind.REVERSAL else charge
        lines[charge.line_key] = _Line(charge.starts_at, charge.revision, standing)
    starts = {key: line.starts_at for key, line in lines.items()} | {key: want.cell.starts_at for key, want in desired.items()}
    rows = []
    for key in sorted(starts, key=lambda key: (starts[key], key)):
        want, line = desired.get(key), lines.get(key)
        standing = line.standing if line else None
        if _agree(want, standing):
            continue
        revision = line.revision + 1 if line else 0
        if standing is not None:
            rows.append(_reversal(standing, revision, now))
        if want is not None:
            rows.append(_charge(want, key=key, revision=revision, instance_id=instance_id, now=now))
    return rows


def _agree(want: Rated | None, standing: Charge | None) -> bool:
    if want is None or standing is None:
        return want is None and standing is None
    return (want.cell.ends_at, want.amount) == (standing.ends_at, standing.amount)


def _reversal(standing: Charge, revision: int, now: datetime) -> Charge:
    return Charge(
        **{name: getattr(standing, name) for name in _SHARED},
        kind=Charge.Kind.REVERSAL,
        revision=revision,
        seconds=-standing.seconds,
        amount=-standing.amount,
        posted_at=now,
    )


def _charge(want: Rated, *, key: uuid.UUID, revision: int, instance_id: uuid.UUID, now: datetime) -> Charge:
    cell, usage, price = want.cell, want.cell.usage, want.price
    return Charge(
        line_key=key,
        revision=revision,
        kind=Charge.Kind.REPLACEMENT if revision else Charge.Kind.ORIGINAL,
        instance_id=instance_id,
        run_id=usage.run_id,
        tenant_id=usage.tenant_id,
        owner_id=usage.owner_id,
        gpu_class_id=usage.gpu_class_id,
        price_id=price.id,
        currency=price.currency,
        starts_at=cell.starts_at,
        ends_at=cell.ends_at,
        seconds=cell.seconds,
        per_hour=price.per_hour,
        amount=want.amount,
        posted_at=now,
    )
