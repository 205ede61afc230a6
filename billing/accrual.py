"""Usage that lasts and is not charged yet: what it has come to by now. Worked out on each look, never stored."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from billing.metering import Usage
from billing.models import UsageInterval
from billing.pricing import price_spans
from billing.rating import Cell, cells
from engines.states import HOLDS_GPU


@dataclass(frozen=True, slots=True)
class Accrued:
    """The uncharged cells of one open interval."""

    interval: UsageInterval
    cells: tuple[Cell, ...]

    @property
    def instance_id(self) -> UUID:
        return self.interval.instance_id


def accrued(
    intervals: QuerySet[UsageInterval], *, now: datetime, since: datetime | None = None, until: datetime | None = None
) -> list[Accrued]:
    """Rate what lasts among these intervals, within [since, until) and up to now. Two queries."""
    lasting = list(intervals.filter(ends_at__isnull=True).select_related("instance__meter", "owner", "gpu_class"))
    prices = price_spans({interval.gpu_class_id for interval in lasting}) if lasting else []
    found = []
    for interval in lasting:
        start = max(filter(None, [interval.starts_at, interval.instance.meter.settled_to, since]))
        end = min(filter(None, [_end_by_now(interval, now), until]))
        usage = Usage(interval.run_id, interval.starts_at, None, interval.tenant_id, interval.owner_id, interval.gpu_class_id)
        found.append(Accrued(interval, tuple(cells(usage, prices, since=start, until=end))))
    return found


def _end_by_now(interval: UsageInterval, now: datetime) -> datetime:
    """Return until when usage counts: an instance that has let go of its GPU is about to be settled."""
    instance = interval.instance
    end = now if instance.state in HOLDS_GPU else min(now, instance.state_since)
    return end.replace(microsecond=0)
