"""What is to be settled, and settling all of it."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from billing import locks
from billing.accounts import reading_calendars
from billing.models import FactCursor, Meter, UsageInterval, VolumeMeter
from billing.settling import settle_instances, settle_volumes, volume_watermark, watermark
from engines.models import RunFact, VolumeFact
from engines.states import HOLDS_GPU

logger = logging.getLogger(__name__)

COMMIT_DELAY = timedelta(minutes=1)
"""Facts count as new for so long: a transaction may commit a fact with a lower number than one already read."""

BATCH = 1000
"""Settled in one transaction: what others wait for, and what is lost when it fails."""

Settle = Callable[..., int]


def settle_due(*, now: datetime) -> int:
    """Settle whatever has facts or prices that changed, or lasts into an hour, or a day, that is not charged yet.

    Return how many rows that took. One's trouble is logged and does not keep the others from being settled.
    """
    note_new_facts(now=now)
    posted = _settle_all(settle_instances, due_instances(now=now), now)
    return posted + _settle_all(settle_volumes, due_volumes(now=now), now)


def settle_facts(facts: Iterable[RunFact | VolumeFact], *, now: datetime) -> int:
    """Settle what these facts are about, as `settle_due` does; return how many rows that took."""
    facts = list(facts)
    posted = _settle_all(settle_instances, sorted({each.instance_id for each in facts if isinstance(each, RunFact)}), now)
    return posted + _settle_all(settle_volumes, sorted({each.volume_id for each in facts if isinstance(each, VolumeFact)}), now)


def _settle_all(settle: Settle, ids: Sequence[UUID], now: datetime) -> int:
    posted = 0
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        try:
            posted += settle(batch, now=now)
        except Exception:
            logger.exception("%d could not be settled together; they are settled one by one.", len(batch))
            posted += sum(_settle_one(settle, pk, now) for pk in batch)
    return posted


def _settle_one(settle: Settle, pk: UUID, now: datetime) -> int:
    try:
        return settle([pk], now=now)
    except Exception:
        logger.exception("%s could not be settled; the next round tries again.", pk)
        return 0


def due_instances(*, now: datetime) -> list[UUID]:
    """Return which instances to settle, those that wait longest first."""
    lasting = UsageInterval.objects.filter(instance=OuterRef("pk"), ends_at__isnull=True)
    overdue = Q(settled_to__lt=watermark(now)) | ~Q(instance__state__in=HOLDS_GPU)
    due = Meter.objects.filter(Q(dirty_from__isnull=False) | (Exists(lasting) & overdue))
    return list(due.order_by(F("settled_to").asc(nulls_first=True), "pk").values_list("pk", flat=True))


def due_volumes(*, now: datetime) -> list[UUID]:
    """Return which volumes to settle: those that changed, and those whose account has begun another day."""
    tenant_ids = VolumeMeter.objects.order_by().values_list("volume__tenant_id", flat=True).distinct()
    calendars = reading_calendars(list(tenant_ids))
    by_day: dict[datetime, list[int]] = defaultdict(list)
    for tenant_id in calendars:
        by_day[volume_watermark(calendars, tenant_id, now)].append(tenant_id)
    lasting = UsageInterval.objects.filter(volume=OuterRef("pk"), ends_at__isnull=True)
    overdue = Q()
    for day, tenants in by_day.items():
        overdue |= Q(settled_to__lt=day, volume__tenant_id__in=tenants)
    due = VolumeMeter.objects.filter(Q(dirty_from__isnull=False) | (Exists(lasting) & overdue if by_day else Q(pk__in=[])))
    return list(due.order_by(F("settled_to").asc(nulls_first=True), "pk").values_list("pk", flat=True))


@transaction.atomic
def note_new_facts(*, now: datetime) -> None:
    """Mark the meters of all instances and volumes with facts that are not known to be read."""
    locks.share_prices()
    cursor = FactCursor.objects.select_for_update().first()
    if cursor is None:
        FactCursor.objects.bulk_create([FactCursor()], ignore_conflicts=True)
        cursor = FactCursor.objects.select_for_update().get()
    runs = _mark(RunFact.objects.filter(pk__gt=cursor.read_to), "instance_id", Meter, now)
    volumes = _mark(VolumeFact.objects.filter(pk__gt=cursor.volumes_read_to), "volume_id", VolumeMeter, now)
    if runs is None and volumes is None:
        return
    cursor.read_to, cursor.volumes_read_to = runs or cursor.read_to, volumes or cursor.volumes_read_to
    cursor.save()


def _mark(new: QuerySet[Any], column: str, meters: Any, now: datetime) -> int | None:
    """Mark the meters that these facts concern; return the number up to which no more can appear, if that is news."""
    ids = sorted(new.order_by().values_list(column, flat=True).distinct())
    if not ids:
        return None
    meters.objects.bulk_create([meters(**{column: pk}) for pk in ids], ignore_conflicts=True)
    marked = meters.objects.filter(pk__in=ids)
    marked.update(dirty_from=Coalesce("dirty_from", Value(now)))
    certain: int | None = new.filter(observed_at__lt=now - COMMIT_DELAY).aggregate(last=Max("pk"))["last"]
    return certain
