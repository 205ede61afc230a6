"""Usage that lasts and is not charged yet: what it has come to by now. Worked out on each look, never stored."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from billing.accounts import Calendars, reading_calendars
from billing.calendars import Calendar
from billing.metering import Usage
from billing.models import UsageInterval
from billing.money import Money
from billing.pricebook import PriceBook
from billing.pricing import price_spans
from billing.rating import Cell, amount_of, cells
from engines.states import HOLDS_GPU

HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Accrued:
    """The uncharged cells of one open interval, and what an hour of it costs now: None without a price, or if it is over."""

    interval: UsageInterval
    cells: tuple[Cell, ...]
    per_hour: Money | None = None

    @property
    def subject_id(self) -> UUID:
        """The instance, or of storage the volume."""
        found = self.interval.instance_id or self.interval.volume_id
        if found is None:
            raise ValueError("Usage is an instance's or a volume's.")
        return found


def accrued(
    intervals: QuerySet[UsageInterval],
    *,
    now: datetime,
    calendars: Calendars | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Accrued]:
    """Rate what is billed and lasts among these intervals, within [since, until) and up to now.

    Two queries, and one for calendars that are not given.
    """
    rows = intervals.filter(ends_at__isnull=True, kind__in=UsageInterval.BILLED)
    lasting = list(rows.select_related("instance__meter", "volume__meter", "owner", "gpu_class"))
    if not lasting:
        return []
    book = PriceBook(price_spans({interval.gpu_class_id for interval in lasting}))
    if calendars is None:
        calendars = reading_calendars({interval.tenant_id for interval in lasting})
    found = []
    for interval in lasting:
        meter = interval.instance.meter if interval.instance else interval.volume.meter  # type: ignore[union-attr]
        start = max(filter(None, [interval.starts_at, meter.settled_to, since]))
        end = min(filter(None, [_end_by_now(interval, now), until]))
        own = cells(usage_of(interval), book, calendars[interval.tenant_id], since=start, until=end)
        found.append(Accrued(interval, tuple(own), _per_hour(interval, book, calendars[interval.tenant_id], now)))
    return found


def _per_hour(interval: UsageInterval, book: PriceBook, calendar: Calendar, now: datetime) -> Money | None:
    if interval.instance is not None and interval.instance.state not in HOLDS_GPU:
        return None
    applied = book.at(usage_of(interval), calendar.currency_at(now), now)
    if applied is None:
        return None
    return Money(amount_of(applied.price.per_hour, HOUR_SECONDS, interval.quantity_milli), applied.price.currency)


def usage_of(interval: UsageInterval) -> Usage:
    """Return the row as a value for the pure modules."""
    return Usage(
        run_id=interval.run_id,
        starts_at=interval.starts_at,
        ends_at=interval.ends_at,
        tenant_id=interval.tenant_id,
        owner_id=interval.owner_id,
        gpu_class_id=interval.gpu_class_id,
        kind=interval.kind,
        quantity_milli=interval.quantity_milli,
        tag=interval.tag,
        storage_class=interval.storage_class,
    )


def _end_by_now(interval: UsageInterval, now: datetime) -> datetime:
    """Return until when usage counts: an instance that has let go of its GPU is about to be settled."""
    instance = interval.instance
    end = now if instance is None or instance.state in HOLDS_GPU else min(now, instance.state_since)
    return end.replace(microsecond=0)
