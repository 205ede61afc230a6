"""Settling: the charges of instances and volumes become what the facts and the prices say.

May be interrupted, repeated and run twice at once: everything or nothing is written, and what is right is left alone.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from aigc_portal.arrays import one_of
from billing import ledger, locks
from billing.accounts import Calendars, Periods, calendars_of
from billing.ledger import Subject
from billing.measuring import Measured, measure_instances, measure_volumes, written_usage
from billing.metering import Usage
from billing.models import Charge, Meter, VolumeMeter
from billing.posting import post
from billing.pricebook import PriceBook
from billing.pricing import price_spans
from billing.rating import Line, floor_hour, lines_within
from engines.models import Instance, Volume
from engines.states import HOLDS_GPU

logger = logging.getLogger(__name__)

SETTLING_DELAY = timedelta(minutes=10)
"""What lasts is charged so long after its hour, or its day, is over: later facts would otherwise cause corrections."""

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

AnyMeter = Meter | VolumeMeter


@dataclass(frozen=True, slots=True)
class _Sort:
    """What differs between instances and volumes."""

    meters: Any  # the model: Meter or VolumeMeter
    column: str
    measure: Callable[[Collection[UUID]], Measured]


INSTANCES = _Sort(Meter, "instance_id", measure_instances)
VOLUMES = _Sort(VolumeMeter, "volume_id", measure_volumes)


@dataclass(slots=True)
class _Plan:
    """One subject's part of a round."""

    subject: Subject
    tenant_id: int
    meter: AnyMeter
    lets_go: bool  # it may be over without a fact
    settled_to: datetime = BEGINNING
    since: datetime = BEGINNING
    unpriced_from: datetime | None = None

    @property
    def is_clean(self) -> bool:
        return self.meter.dirty_from is None and self.meter.settled_to is not None and not self.lets_go


def settle(instance_id: UUID, *, now: datetime) -> int:
    """Settle one instance by all that is known; return how many rows that took."""
    return settle_instances([instance_id], now=now, remeasure=True)


def settle_instances(instance_ids: Collection[UUID], *, now: datetime, remeasure: bool = False) -> int:
    """Settle these instances in one transaction; return how many rows that took.

    Facts are read of those whose meters say that something changed; `remeasure`: of all.
    """
    return _settle(INSTANCES, instance_ids, now=now, remeasure=remeasure)


def settle_volumes(volume_ids: Collection[UUID], *, now: datetime, remeasure: bool = False) -> int:
    """Settle these volumes in one transaction; return how many rows that took."""
    return _settle(VOLUMES, volume_ids, now=now, remeasure=remeasure)


def watermark(now: datetime) -> datetime:
    """Return the full hour up to which lasting GPU time is charged."""
    return floor_hour(now - SETTLING_DELAY)


def volume_watermark(calendars: Calendars, tenant_id: int, now: datetime) -> datetime:
    """Return the beginning of the day up to which lasting storage of the tenant is charged."""
    return calendars[tenant_id].day_start(now - SETTLING_DELAY)


@transaction.atomic
def _settle(sort: _Sort, ids: Collection[UUID], *, now: datetime, remeasure: bool) -> int:
    locks.share_prices()
    plans = _plans(sort, ids)
    changed = [plan.subject.id for plan in plans if remeasure or not plan.is_clean]
    measured = sort.measure(changed) if changed else Measured()
    usage = _usage(sort, plans, measured)
    tenant_ids = {plan.tenant_id for plan in plans} | {piece.tenant_id for own in usage.values() for piece in own}
    calendars = calendars_of(tenant_ids)
    for plan in plans:
        _bound(sort, plan, measured.changed_from.get(plan.subject.id), calendars, now)
    rows = _missing_rows(sort, plans, usage, calendars, now)
    post(rows)
    _save(sort, plans, measured)
    return len(rows)


def _plans(sort: _Sort, ids: Collection[UUID]) -> list[_Plan]:
    """Lock the meters, in an order that no two rounds can wait for each other in."""
    rows = sort.meters.objects.select_for_update().filter(pk__in=one_of(ids)).order_by("pk")
    meters = {meter.pk: meter for meter in rows}
    if len(meters) < len(set(ids)):
        missing = sorted(set(ids) - meters.keys())
        sort.meters.objects.bulk_create([sort.meters(**{sort.column: pk}) for pk in missing], ignore_conflicts=True)
        meters = {meter.pk: meter for meter in rows.all()}
    if sort is VOLUMES:
        found = Volume.objects.filter(pk__in=one_of(meters)).values_list("pk", "name", "tenant_id")
        return [_Plan(Subject(pk, name, is_volume=True), tenant, meters[pk], lets_go=False) for pk, name, tenant in found]
    instances = Instance.objects.filter(pk__in=one_of(meters)).values_list("pk", "name", "tenant_id", "state")
    return [_Plan(Subject(pk, name), tenant, meters[pk], lets_go=state not in HOLDS_GPU) for pk, name, tenant, state in instances]


def _usage(sort: _Sort, plans: Iterable[_Plan], measured: Measured) -> Mapping[UUID, list[Usage]]:
    """Return what was measured now, and of the others what was written down before."""
    others = {plan.subject.id: plan.meter.settled_to for plan in plans if plan.subject.id not in measured.usage}
    since = min((at for at in others.values() if at is not None), default=None)
    return measured.usage if since is None else measured.usage | written_usage(others.keys(), sort.column, since=since)


def _bound(sort: _Sort, plan: _Plan, changed_from: datetime | None, calendars: Calendars, now: datetime) -> None:
    """Say from when to when the subject is settled: never again what is clean, and always by bounds of the grid."""
    target = volume_watermark(calendars, plan.tenant_id, now) if sort is VOLUMES else watermark(now)
    known = plan.meter.settled_to or BEGINNING
    plan.settled_to = max(known, target)
    since = min(known, plan.meter.dirty_from or plan.settled_to, changed_from or plan.settled_to)
    if since > BEGINNING:
        since = calendars[plan.tenant_id].day_start(since) if sort is VOLUMES else floor_hour(since)
    plan.since = since


def _missing_rows(
    sort: _Sort, plans: Collection[_Plan], usage: Mapping[UUID, list[Usage]], calendars: Calendars, now: datetime
) -> list[Charge]:
    desired = _desired(plans, usage, calendars)
    periods = Periods(calendars)
    periods.load({(line.usage.tenant_id, line.month) for own in desired.values() for line in own.values()})
    history = _history(sort, plans)
    rows: list[Charge] = []
    for plan in plans:
        own = desired[plan.subject.id]
        rows += ledger.missing_rows(own, history.get(plan.subject.id, ()), subject=plan.subject, posting=periods.posting, now=now)
    return rows


def _desired(plans: Iterable[_Plan], usage: Mapping[UUID, list[Usage]], calendars: Calendars) -> dict[UUID, dict[UUID, Line]]:
    """Return the lines that there should be: usage that is over is charged at once, usage that lasts up to `settled_to`."""
    relevant = {
        plan.subject.id: [
            piece for piece in usage.get(plan.subject.id, ()) if piece.ends_at is None or piece.ends_at > plan.since
        ]
        for plan in plans
    }
    book = PriceBook(price_spans({piece.gpu_class_id for own in relevant.values() for piece in own}))
    desired: dict[UUID, dict[UUID, Line]] = {}
    for plan in plans:
        unpriced: list[datetime] = []
        pieces, within = relevant[plan.subject.id], (plan.since, plan.settled_to)
        desired[plan.subject.id] = lines_within(plan.subject.id, pieces, book, calendars, within, unpriced)
        plan.unpriced_from = min(unpriced, default=None)
    return desired


def _history(sort: _Sort, plans: Iterable[_Plan]) -> dict[UUID, list[Charge]]:
    """Return every row about the time that is settled, oldest first. One query for each moment from which on it is."""
    by_start: dict[datetime, list[UUID]] = defaultdict(list)
    for plan in plans:
        by_start[plan.since].append(plan.subject.id)
    found: dict[UUID, list[Charge]] = defaultdict(list)
    for since, ids in by_start.items():
        for row in Charge.objects.filter(**{f"{sort.column}__in": one_of(ids)}, starts_at__gte=since).order_by("pk"):
            found[getattr(row, sort.column)].append(row)
    return found


def _save(sort: _Sort, plans: Collection[_Plan], measured: Measured) -> None:
    """Write how far the meters are, all at once."""
    table = sort.meters._meta.db_table  # noqa: SLF001 - Django's own name for it
    unpriced, troubles, quarantined = [], [], []
    for plan in plans:
        meter = plan.meter
        is_known = meter.unpriced_from is not None and meter.unpriced_from < plan.since
        unpriced.append(meter.unpriced_from if is_known else plan.unpriced_from)
        troubles.append(json.dumps(_troubles(plan, measured)))
        quarantined.append(measured.quarantined.get(plan.subject.id, meter.quarantined))
    statement = f"""
        UPDATE {table} AS meter
        SET settled_to = new.settled_to, dirty_from = NULL, unpriced_from = new.unpriced_from, quarantined = new.quarantined
            {", anomalies = new.anomalies" if sort is INSTANCES else ""}
        FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[], %s::jsonb[], %s::int[])
            AS new (id, settled_to, unpriced_from, anomalies, quarantined)
        WHERE meter.{sort.column} = new.id
    """
    ids, settled = [plan.subject.id for plan in plans], [plan.settled_to for plan in plans]
    with connection.cursor() as cursor:
        cursor.execute(statement, [ids, settled, unpriced, troubles, quarantined])


def _troubles(plan: _Plan, measured: Measured) -> list[str]:
    """Return what is wrong with the subject's facts, and say it where it is new."""
    known = getattr(plan.meter, "anomalies", [])
    present = measured.anomalies.get(plan.subject.id, known)
    for trouble in present:
        if trouble not in known:
            logger.warning("Instance %s, run %s", plan.subject.id, trouble)
    return present
