"""What writes the books: settling one instance, settling all that is due."""

import logging
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, Q, Value, Window
from django.db.models.functions import Coalesce, Lag, Lead

from billing import ledger, locks
from billing.metering import BillFrom, Fact, Kind, OwnerChange, Usage, meter
from billing.models import Charge, FactCursor, Meter, UsageInterval
from billing.pricing import price_spans, set_price
from billing.rating import Rated, cells, floor_hour, line_key, rate
from engines.models import Handover, Instance, RunFact
from engines.states import HOLDS_GPU

__all__ = ["set_price", "settle", "settle_due"]

logger = logging.getLogger(__name__)

SETTLING_DELAY = timedelta(minutes=10)
"""A full hour of lasting usage is charged so long after it is over: later facts would otherwise cause corrections."""

COMMIT_DELAY = timedelta(minutes=1)
"""Facts count as new for so long: a transaction may commit a fact with a lower number than one already read."""

BEGINNING = datetime.min.replace(tzinfo=UTC)


def settle(instance_id: uuid.UUID, *, now: datetime) -> int:
    """Make the charges of an instance what its facts and the prices say; return how many rows that took.

    May be interrupted, repeated and run twice at once: everything or nothing is written, and what is right is left alone.
    """
    with transaction.atomic():
        locks.share_prices()
        Meter.objects.bulk_create([Meter(instance_id=instance_id)], ignore_conflicts=True)
        own = Meter.objects.select_for_update().get(pk=instance_id)
        usage, changed_from = _measure(instance_id)
        settled_to = max(own.settled_to or BEGINNING, watermark(now))
        since = floor_hour(min(own.settled_to or BEGINNING, own.dirty_from or settled_to, changed_from or settled_to))
        desired, unpriced_from = _rate(instance_id, usage, since=since, settled_to=settled_to)
        history = Charge.objects.filter(instance_id=instance_id, starts_at__gte=since).order_by("pk")
        rows = ledger.missing_rows(desired, history, instance_id=instance_id, now=now)
        Charge.objects.bulk_create(rows)
        if own.unpriced_from is None or own.unpriced_from >= since:
            own.unpriced_from = unpriced_from
        own.settled_to, own.dirty_from = settled_to, None
        own.save()
    return len(rows)


def settle_due(*, now: datetime) -> int:
    """Settle every instance whose facts or prices changed, or whose usage lasts into an hour not yet charged.

    Return how many rows that took. One instance's trouble is logged and does not keep the others from being settled.
    """
    note_new_facts(now=now)
    posted = 0
    for instance_id in due_instances(now=now):
        try:
            posted += settle(instance_id, now=now)
        except Exception:
            logger.exception("Instance %s could not be settled; the next round tries again.", instance_id)
    return posted


def watermark(now: datetime) -> datetime:
    """Return the full hour up to which lasting usage is charged."""
    return floor_hour(now - SETTLING_DELAY)


def due_instances(*, now: datetime) -> list[uuid.UUID]:
    """Return which instances to settle, those that wait longest first."""
    lasting = UsageInterval.objects.filter(instance=OuterRef("pk"), ends_at__isnull=True)
    overdue = Q(settled_to__lt=watermark(now)) | ~Q(instance__state__in=HOLDS_GPU)
    due = Meter.objects.filter(Q(dirty_from__isnull=False) | (Exists(lasting) & overdue))
    return list(due.order_by(F("settled_to").asc(nulls_first=True), "pk").values_list("pk", flat=True))


@transaction.atomic
def note_new_facts(*, now: datetime) -> None:
    """Mark the meters of all instances with facts that are not known to be read."""
    locks.share_prices()
    FactCursor.objects.bulk_create([FactCursor()], ignore_conflicts=True)
    cursor = FactCursor.objects.select_for_update().get()
    new = RunFact.objects.filter(pk__gt=cursor.read_to)
    instance_ids = sorted(new.order_by().values_list("instance_id", flat=True).distinct())
    if not instance_ids:
        return
    Meter.objects.bulk_create([Meter(instance_id=pk) for pk in instance_ids], ignore_conflicts=True)
    Meter.objects.filter(pk__in=instance_ids).update(dirty_from=Coalesce("dirty_from", Value(now)))
    certain = new.filter(observed_at__lt=now - COMMIT_DELAY).aggregate(last=Max("pk"))["last"]
    if certain is not None:
        cursor.read_to = certain
        cursor.save()


def _measure(instance_id: uuid.UUID) -> tuple[tuple[Usage, ...], datetime | None]:
    """Write down the usage that the facts come to; return it, and from when on it differs from what was written before."""
    # The state first: a run that is seen here to be over has its end among the facts that are read next.
    state = Instance.objects.values_list("state", flat=True).get(pk=instance_id)
    bill_from = BillFrom(settings.BILL_FROM)
    metered = meter(_facts(instance_id), holds_gpu=state in HOLDS_GPU, bill_from=bill_from, handovers=_handovers(instance_id))
    written = {_as_usage(interval): interval.pk for interval in UsageInterval.objects.filter(instance_id=instance_id)}
    gone, fresh = written.keys() - set(metered.usage), set(metered.usage) - written.keys()
    if not gone and not fresh:
        return metered.usage, None
    for anomaly in metered.anomalies:
        logger.warning("Instance %s, run %s: %s", instance_id, anomaly.run_id, anomaly.trouble)
    UsageInterval.objects.filter(pk__in=[written[usage] for usage in gone]).delete()
    UsageInterval.objects.bulk_create([_as_interval(instance_id, usage) for usage in fresh])
    return metered.usage, min(usage.starts_at for usage in gone | fresh)


def _facts(instance_id: uuid.UUID) -> Iterable[Fact]:
    """Read an instance's facts; of the many signs of life only each run's last and those where the owner changed."""
    of_instance = RunFact.objects.filter(instance_id=instance_id).order_by()
    telling = of_instance.filter(kind=Kind.SEEN).annotate(
        owner_before=_in_run(Lag("owner_id")), tenant_before=_in_run(Lag("tenant_id")), after=_in_run(Lead("pk"))
    )
    telling = telling.filter(
        Q(owner_before__isnull=True) | ~Q(owner_before=F("owner_id")) | ~Q(tenant_before=F("tenant_id")) | Q(after__isnull=True)
    )
    for fact in (*of_instance.exclude(kind=Kind.SEEN), *telling):
        yield Fact(
            run_id=fact.run_id,
            kind=fact.kind,
            source=fact.source,
            at=fact.at,
            observed_at=fact.observed_at,
            tenant_id=fact.tenant_id,
            owner_id=fact.owner_id,
            gpu_class_id=fact.gpu_class_id,
        )


def _handovers(instance_id: uuid.UUID) -> Iterable[OwnerChange]:
    rows = Handover.objects.filter(instance_id=instance_id).order_by("at", "pk")
    return [OwnerChange(row.at, row.from_owner_id, row.to_owner_id) for row in rows]


def _in_run(neighbour: Lag | Lead) -> Window:
    return Window(neighbour, partition_by=["run_id"], order_by=["at", "source", "pk"])


def _as_usage(row: UsageInterval) -> Usage:
    return Usage(row.run_id, row.starts_at, row.ends_at, row.tenant_id, row.owner_id, row.gpu_class_id)


def _as_interval(instance_id: uuid.UUID, usage: Usage) -> UsageInterval:
    return UsageInterval(
        instance_id=instance_id,
        run_id=usage.run_id,
        starts_at=usage.starts_at,
        ends_at=usage.ends_at,
        tenant_id=usage.tenant_id,
        owner_id=usage.owner_id,
        gpu_class_id=usage.gpu_class_id,
    )


def _rate(
    instance_id: uuid.UUID, usage: Iterable[Usage], *, since: datetime, settled_to: datetime
) -> tuple[dict[uuid.UUID, Rated], datetime | None]:
    """Return the charges that there should be from `since` on, and the first moment without a price.

    Usage that is over is charged at once, usage that lasts up to `settled_to`.
    """
    relevant = [piece for piece in usage if piece.ends_at is None or piece.ends_at > since]
    prices = price_spans({piece.gpu_class_id for piece in relevant})
    desired, unpriced = {}, []
    for piece in relevant:
        for cell in cells(piece, prices, since=since, until=piece.ends_at or settled_to):
            rated = rate(cell)
            if rated is None:
                unpriced.append(cell.starts_at)
            else:
                desired[line_key(instance_id, rated)] = rated
    return desired, min(unpriced, default=None)
