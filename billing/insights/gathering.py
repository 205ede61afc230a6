"""What insights are worked out from: time as it is billed, use as it was seen, prices as they were paid. Reads only."""

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db.models import Exists, Max, OuterRef, Q, Sum

from billing import sums
from billing.calendars import Calendar
from billing.insights.releases import Release
from billing.insights.stretches import Stretch, joined, total, within
from billing.insights.waste import Run
from billing.models import UsageInterval
from billing.money import round_half_even
from billing.queries import prices_in_force, scope_of, visible_to
from billing.rating import HOUR
from billing.windows import Window
from engines.activity.families import probe_of
from engines.idle.simulation import Run as PastRun
from engines.models import GpuClass, Instance, PictureCount, UseSpan, Volume
from engines.queries.simulating import Past, past_runs
from engines.release.counting import tells_pictures
from engines.release.spans import KEPT_FOR
from tenants.models import Membership, Tenant

LONG_PAUSED = timedelta(days=30)
"""A volume whose engine has not run for so long may be forgotten."""


class _Row(NamedTuple):
    """A usage interval of an instance."""

    kind: str
    instance_id: UUID
    run_id: str
    gpu_class_id: int
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Fleet:
    """Instances and what they ran, by GPU class."""

    instances: dict[int, int]
    off_seconds: dict[int, int]  # of instances that were there and not charged
    runs: dict[int, list[Run]]
    starting_seconds: dict[int, int]  # a GPU was taken, and nothing charged, until the engine was ready
    start_seconds: int | None  # what a start takes, as a median; None if none was seen
    silent: list[str]  # engines that by design cannot say whether they work
    made: dict[int, "Made"]  # of classes on which engines ran that say what they have made


@dataclass(frozen=True, slots=True)
class Made:
    """What engines that tell have made, and how long they were charged for."""

    charged_seconds: int
    pictures: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A volume whose engine has been paused for long, and what it was charged since then within the window."""

    volume: Volume
    used_at: datetime
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of a window. GPU classes by their keys; prices are for an hour of one instance."""

    tenant: Tenant
    own_only: bool
    window: Stretch  # up to now, and no earlier than use is kept
    days: int
    zone: str
    currency: str
    classes: dict[int, GpuClass]
    paid: dict[int, Decimal]  # the average of the window
    offered: dict[int, Decimal]  # now
    fleet: Fleet
    past: dict[int, list[PastRun]]
    released: dict[int, list[Release]]
    stored: list[Stored]

    @property
    def priced(self) -> list[int]:
        """The classes of instances that were there and have a price, by name."""
        return sorted(self._there & self.paid.keys(), key=lambda pk: self.classes[pk].name)

    @property
    def unpriced(self) -> list[str]:
        """Names of those that have none."""
        return sorted(self.classes[pk].name for pk in self._there - self.paid.keys())

    @property
    def _there(self) -> set[int]:
        return {*self.fleet.runs, *self.fleet.instances}


def gather(membership: Membership, asked: Window, calendar: Calendar, *, now: datetime) -> Known | None:
    """Read what the member may see; None where all of the window is before anything is kept, or to come.

    About fifteen queries, however many instances there are.
    """
    now = now.replace(microsecond=0)
    start, end = asked.moments(calendar)
    window = Stretch(max(start, now - KEPT_FOR), min(end, now))
    if window.starts_at >= window.ends_at:
        return None
    scope, tenant = visible_to(membership), membership.tenant
    days = Window(calendar.day_of(window.starts_at), calendar.day_of(window.ends_at - timedelta(seconds=1)))
    classes, currency = GpuClass.objects.in_bulk(), calendar.currency_at(window.ends_at - timedelta(seconds=1))
    offered = {
        pk: round_half_even(price.amount * classes[pk].billed_milli / 1000)
        for pk, price in prices_in_force(tenant, at=now).items()
    }
    of_currency = scope & Q(currency=currency)
    past = list(past_runs(window.starts_at, tenant_id=tenant.pk, owner_id=scope_of(membership)))
    there = _there(scope, window)
    return Known(
        tenant=tenant,
        own_only=scope_of(membership) is not None,
        window=window,
        days=days.length,
        zone=calendar.period_at(window.starts_at).time_zone,
        currency=currency,
        classes=classes,
        paid=offered | _paid(of_currency, days),
        offered=offered,
        fleet=_fleet(scope, window, past, there),
        past=_past(past, window),
        released=_released(past, window, there),
        stored=_stored(scope, of_currency, days, calendar, now),
    )


def _paid(scope: Q, days: Window) -> dict[int, Decimal]:
    """Return what an hour of each class cost on average."""
    totals = sums.by_day(scope & Q(category="gpu"), days.first, days.last, by=("gpu_class",))
    return {each.key[0]: round_half_even(each.amount * 3600 / each.seconds) for each in totals if each.seconds > 0}


def _fleet(scope: Q, window: Stretch, past: list[Past], there: list[Instance]) -> Fleet:
    overlapping = Q(ends_at__isnull=True) | Q(ends_at__gt=window.starts_at)
    usage = UsageInterval.objects.exclude(kind=UsageInterval.Kind.STORAGE).filter(
        scope, overlapping, starts_at__lt=window.ends_at
    )
    rows = [_Row(*row) for row in usage.order_by("starts_at").values_list(*_Row._fields)]
    billed = [row for row in rows if row.kind == UsageInterval.Kind.GPU]
    starting = [row for row in rows if row.kind == UsageInterval.Kind.STARTING]
    lengths = [Stretch(row.starts_at, row.ends_at).seconds for row in starting if row.ends_at is not None]
    instances, off_seconds = _counted(there, window, billed)
    ran = {row.instance_id for row in billed}
    telling = {each.pk for each in there if tells_pictures(each.engine_version)}
    versions = {each.engine_version for each in there if each.pk in ran}
    return Fleet(
        instances=instances,
        off_seconds=off_seconds,
        runs=_runs(billed, window, _uses({row.run_id for row in billed}, past)),
        starting_seconds=_seconds_by_class(starting, window),
        start_seconds=int(statistics.median_low(lengths)) if lengths else None,
        silent=sorted({each.engine.name for each in versions if probe_of(each.engine.family, each.activity).kind == "none"}),
        made=_made([row for row in billed if row.instance_id in telling], window),
    )


def _uses(run_ids: set[str], past: list[Past]) -> dict[str, list[Stretch]]:
    """Return when runs were used: of those that are over it is known already."""
    uses = {each.run_id: [Stretch(span.began_at, span.ended_at) for span in each.run.spans] for each in past}
    spans = UseSpan.objects.filter(run_id__in=run_ids - uses.keys())
    for run_id, began_at, ended_at in spans.values_list("run_id", "began_at", "ended_at"):
        uses.setdefault(run_id, []).append(Stretch(began_at, ended_at))
    return uses


def _runs(billed: list[_Row], window: Stretch, uses: dict[str, list[Stretch]]) -> dict[int, list[Run]]:
    """Put together what owners, tags and sizes have cut."""
    pieces: dict[tuple[int, str], list[Stretch]] = defaultdict(list)
    for row in billed:
        pieces[row.gpu_class_id, row.run_id] += _clipped(row, window)
    found: dict[int, list[Run]] = defaultdict(list)
    for (gpu_class_id, run_id), stretches in pieces.items():
        found[gpu_class_id] += [Run(span, tuple(uses.get(run_id, ()))) for span in joined(stretches)]
    return dict(found)


def _there(scope: Q, window: Stretch) -> list[Instance]:
    """Return the instances that were there at any moment of the window."""
    found = Instance.objects.filter(
        scope, Q(deleted_at__isnull=True) | Q(deleted_at__gt=window.starts_at), created_at__lt=window.ends_at
    )
    return list(found.select_related("engine_version__engine"))


def _counted(there: list[Instance], window: Stretch, billed: list[_Row]) -> tuple[dict[int, int], dict[int, int]]:
    """Count instances by class, and the seconds that they were there and not charged."""
    charged: dict[UUID, int] = defaultdict(int)
    for row in billed:
        charged[row.instance_id] += total(_clipped(row, window))
    counts: dict[int, int] = defaultdict(int)
    off: dict[int, int] = defaultdict(int)
    for each in there:
        life = total(within([Stretch(each.created_at, each.deleted_at or window.ends_at)], window))
        counts[each.gpu_class_id] += 1
        off[each.gpu_class_id] += max(0, life - charged[each.pk])
    return dict(counts), dict(off)


def _made(billed: list[_Row], window: Stretch) -> dict[int, Made]:
    """Add up the pictures of these runs; hours count as a whole."""
    class_of = {row.run_id: row.gpu_class_id for row in billed}
    counts = PictureCount.objects.filter(run_id__in=class_of, hour_at__gte=window.starts_at - HOUR, hour_at__lt=window.ends_at)
    pictures: dict[int, int] = defaultdict(int)
    for run_id, made in counts.order_by().values_list("run_id").annotate(Sum("pictures")):
        pictures[class_of[run_id]] += made
    return {pk: Made(seconds, pictures[pk]) for pk, seconds in _seconds_by_class(billed, window).items()}


def _past(past: list[Past], window: Stretch) -> dict[int, list[PastRun]]:
    """Return the runs that ended within the window, for the replay."""
    found: dict[int, list[PastRun]] = defaultdict(list)
    for each in past:
        if each.run.ended_at <= window.ends_at:
            found[each.gpu_class_id].append(each.run)
    return dict(found)


def _released(past: list[Past], window: Stretch, there: list[Instance]) -> dict[int, list[Release]]:
    """Return the runs that idleness ended within the window."""
    deleted_at = {each.pk: each.deleted_at for each in there}
    found: dict[int, list[Release]] = defaultdict(list)
    for each in past:
        if each.run.idle_after is not None and each.run.ended_at < window.ends_at:
            back = [at for at in (each.run.next_at, deleted_at.get(each.instance_id)) if at is not None]
            found[each.gpu_class_id].append(Release(each.run.ended_at, min(back, default=None)))
    return dict(found)


def _stored(scope: Q, of_currency: Q, days: Window, calendar: Calendar, now: datetime) -> list[Stored]:
    """Return volumes whose engines have not run for long, the dearest first."""
    of_gpu = Q(instances__usage_intervals__kind=UsageInterval.Kind.GPU)
    lasting = UsageInterval.objects.gpu().filter(instance__volume=OuterRef("pk"), ends_at__isnull=True)
    volumes = Volume.objects.filter(scope, ~Exists(lasting), state=Volume.State.ACTIVE, created_at__lt=now - LONG_PAUSED)
    used = {
        volume.pk: (volume, volume.last_used or volume.created_at)
        for volume in volumes.annotate(last_used=Max("instances__usage_intervals__ends_at", filter=of_gpu))
    }
    long_paused = {pk: since for pk, (_volume, since) in used.items() if since <= now - LONG_PAUSED}
    amounts: dict[UUID, Decimal] = defaultdict(Decimal)
    of_volumes = of_currency & Q(category="storage", volume__in=long_paused)
    for each in sums.by_day(of_volumes, days.first, days.last, by=("volume", "day")):
        volume_id, day = each.key
        if day > calendar.day_of(long_paused[volume_id] + LONG_PAUSED):
            amounts[volume_id] += each.amount
    found = [Stored(used[pk][0], since, amounts[pk]) for pk, since in long_paused.items()]
    return sorted(found, key=lambda each: (-each.amount, each.used_at, each.volume.name))


def _seconds_by_class(rows: Iterable[_Row], window: Stretch) -> dict[int, int]:
    found: dict[int, int] = defaultdict(int)
    for row in rows:
        found[row.gpu_class_id] += total(_clipped(row, window))
    return dict(found)


def _clipped(row: _Row, window: Stretch) -> list[Stretch]:
    return within([Stretch(row.starts_at, row.ends_at or window.ends_at)], window)
