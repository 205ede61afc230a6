"""From what the books say to what they should say: the rows that are missing. Touches no database."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from billing.metering import UsageKind
from billing.models import BillingPeriod, Charge
from billing.periods import Month
from billing.rating import Line

Posting = Callable[[int, Month], tuple[BillingPeriod, bool]]
"""Tenant and month of a charge -> the period that takes it, and whether that is a correction."""

_SHARED = (
    *("line_key", "category", "tenant_id", "owner_id", "instance_id", "volume_id", "run_id", "resource_name", "day"),
    *("gpu_class_id", "storage_class", "tag", "price_id", "currency", "per_hour", "list_per_hour"),
    *("starts_at", "ends_at", "quantity_milli"),
)
"""What a reversal has in common with the row that it takes back."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is charged for: an instance's GPU time, or a volume's storage."""

    id: uuid.UUID
    name: str
    is_volume: bool = False


@dataclass(slots=True)
class _Known:
    """The latest word of the books about a line."""

    starts_at: datetime
    revision: int
    standing: Charge | None  # None: it was taken back


def missing_rows(
    desired: Mapping[uuid.UUID, Line], history: Iterable[Charge], *, subject: Subject, posting: Posting, now: datetime
) -> list[Charge]:
    """Compare line by line and return what to post, in order; equal lines are left alone, so a second time yields nothing.

    `history`: every row ever posted about the lines in question, oldest first.
    """
    known: dict[uuid.UUID, _Known] = {}
    for charge in history:
        standing = None if charge.kind == Charge.Kind.REVERSAL else charge
        known[charge.line_key] = _Known(charge.starts_at, charge.revision, standing)
    starts = {key: line.starts_at for key, line in known.items()} | {key: want.starts_at for key, want in desired.items()}
    rows = []
    for key in sorted(starts, key=lambda key: (starts[key], key)):
        want, line = desired.get(key), known.get(key)
        standing = line.standing if line else None
        if _agree(want, standing):
            continue
        revision = line.revision + 1 if line else 0
        if standing is not None:
            rows.append(_reversal(standing, revision, posting, now))
        if want is not None:
            rows.append(_charge(want, key=key, revision=revision, subject=subject, posting=posting, now=now))
    return rows


def _agree(want: Line | None, standing: Charge | None) -> bool:
    if want is None or standing is None:
        return want is None and standing is None
    return (want.starts_at, want.ends_at, want.seconds, want.amount, want.list_amount) == (
        standing.starts_at,
        standing.ends_at,
        standing.seconds,
        standing.amount,
        standing.list_amount,
    )


def _reversal(standing: Charge, revision: int, posting: Posting, now: datetime) -> Charge:
    period, is_correction = posting(standing.tenant_id, Month.of(standing.day))
    return Charge(
        **{name: getattr(standing, name) for name in _SHARED},
        period_id=period.pk,
        is_correction=is_correction,
        kind=Charge.Kind.REVERSAL,
        revision=revision,
        seconds=-standing.seconds,
        amount=-standing.amount,
        list_amount=-standing.list_amount,
        posted_at=now,
    )


def _charge(want: Line, *, key: uuid.UUID, revision: int, subject: Subject, posting: Posting, now: datetime) -> Charge:
    usage, price = want.usage, want.applied.price
    period, is_correction = posting(usage.tenant_id, want.month)
    return Charge(
        line_key=key,
        revision=revision,
        kind=Charge.Kind.REPLACEMENT if revision else Charge.Kind.ORIGINAL,
        category=Charge.Category.STORAGE if usage.kind == UsageKind.STORAGE else Charge.Category.GPU,
        tenant_id=usage.tenant_id,
        period_id=period.pk,
        is_correction=is_correction,
        day=want.day,
        owner_id=usage.owner_id,
        instance_id=None if subject.is_volume else subject.id,
        volume_id=subject.id if subject.is_volume else None,
        resource_name=subject.name,
        run_id=usage.run_id,
        gpu_class_id=usage.gpu_class_id,
        storage_class=usage.storage_class,
        tag=usage.tag,
        price_id=price.id,
        currency=price.currency,
        starts_at=want.starts_at,
        ends_at=want.ends_at,
        seconds=want.seconds,
        quantity_milli=usage.quantity_milli,
        per_hour=price.per_hour,
        list_per_hour=want.applied.list_per_hour,
        amount=want.amount,
        list_amount=want.list_amount,
        posted_at=now,
    )
