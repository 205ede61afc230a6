"""What the books would say if facts in doubt counted: worked out as settling does, and never written."""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from aigc_portal.arrays import one_of
from billing.accounts import Calendars, reading_calendars
from billing.measuring import InstanceFacts, volume_facts
from billing.metering import Usage, UsageKind
from billing.models import Meter, VolumeMeter
from billing.money import Money
from billing.pricebook import PriceBook
from billing.pricing import price_spans
from billing.rating import floor_hour, lines_within
from billing.settling import BEGINNING, volume_watermark, watermark
from billing.storage import VolumeFact, meter_volume
from engines import models as engines

DoubtfulFacts = Collection[engines.RunFact | engines.VolumeFact]


@dataclass(slots=True)
class Change:
    """What would be posted on balance: billed seconds of GPUs and of storage, and amounts by currency."""

    gpu_seconds: int = 0
    storage_seconds: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)
    has_unpriced: bool = False  # some of the time has no price, and is charged once there is one

    @property
    def money(self) -> list[Money]:
        """The amounts, without those of zero."""
        return [Money(amount, currency) for currency, amount in sorted(self.amounts.items()) if amount]

    @property
    def is_nothing(self) -> bool:
        """Tell whether the books would stay as they are."""
        return not (self.gpu_seconds or self.storage_seconds or self.money or self.has_unpriced)

    def add(self, kind: str, seconds: int, amount: Decimal, currency: str) -> None:
        """Count a line of usage of this kind."""
        if kind == UsageKind.STORAGE:
            self.storage_seconds += seconds
        else:
            self.gpu_seconds += seconds
        self.amounts[currency] = self.amounts.get(currency, Decimal(0)) + amount


@dataclass(frozen=True, slots=True)
class _Supposed:
    """The usage of one instance or volume as it is, and as it would be."""

    subject_id: UUID
    tenant_id: int
    before: Sequence[Usage]
    after: Sequence[Usage]
    is_volume: bool

    @property
    def differs_from(self) -> datetime | None:
        """From when on they differ; None: not at all."""
        ends: dict[Usage, list[datetime | None]] = {}
        for piece in set(self.before) ^ set(self.after):
            ends.setdefault(replace(piece, ends_at=None), []).append(piece.ends_at)
        # A piece that is there both times, and only ends at another moment, differs from the first of its ends on.
        moments = [piece.starts_at if len(own) == 1 else min(at for at in own if at is not None) for piece, own in ends.items()]
        return min(moments, default=None)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is read once for all that is supposed."""

    instances: InstanceFacts
    volumes: Mapping[UUID, list[VolumeFact]]
    usage: Mapping[UUID, Sequence[Usage]]  # without any of the facts that are in doubt
    settled_to: Mapping[UUID, datetime | None]

    @classmethod
    def about(cls, facts: DoubtfulFacts) -> Self:
        instance_ids = {each.instance_id for each in facts if isinstance(each, engines.RunFact)}
        volume_ids = {each.volume_id for each in facts if isinstance(each, engines.VolumeFact)}
        settled = dict(Meter.objects.filter(pk__in=one_of(instance_ids)).values_list("pk", "settled_to"))
        settled |= dict(VolumeMeter.objects.filter(pk__in=one_of(volume_ids)).values_list("pk", "settled_to"))
        instances, volumes = InstanceFacts.read(instance_ids), volume_facts(volume_ids)
        usage = {pk: instances.metered(pk, instances.facts[pk]).usage for pk in instance_ids}
        usage |= {pk: meter_volume(volumes[pk]) for pk in volume_ids}
        return cls(instances, volumes, usage, settled)

    def suppose(self, facts: DoubtfulFacts) -> list[_Supposed]:
        """Work out the usage without and with these facts, by instance and volume."""
        runs: dict[tuple[UUID, int], set[Hashable]] = {}
        volumes: dict[tuple[UUID, int], set[Hashable]] = {}
        for each in facts:
            if isinstance(each, engines.RunFact):
                runs.setdefault((each.instance_id, each.instance.tenant_id), set()).add(_key(each))
            else:
                volumes.setdefault((each.volume_id, each.volume.tenant_id), set()).add(_key(each))
        return [*self._of_instances(runs), *self._of_volumes(volumes)]

    def _of_instances(self, counted: Mapping[tuple[UUID, int], set[Hashable]]) -> Iterable[_Supposed]:
        for (pk, tenant_id), keys in counted.items():
            supposed = self.instances.metered(pk, _counting(self.instances.facts[pk], keys)).usage
            yield _Supposed(pk, tenant_id, self.usage[pk], supposed, is_volume=False)

    def _of_volumes(self, counted: Mapping[tuple[UUID, int], set[Hashable]]) -> Iterable[_Supposed]:
        for (pk, tenant_id), keys in counted.items():
            supposed = meter_volume(_counting(self.volumes[pk], keys))
            yield _Supposed(pk, tenant_id, self.usage[pk], supposed, is_volume=True)


def changes_by(suppositions: Sequence[DoubtfulFacts], *, now: datetime) -> list[Change]:
    """Tell for each of these what would change if its facts counted, and no others that are in doubt now.

    Ten queries, however many facts; `instance` or `volume` of each is read already. Nothing is written and nothing locked.
    """
    known = _Known.about([each for facts in suppositions for each in facts])
    supposed = [known.suppose(facts) for facts in suppositions]
    every = [each for own in supposed for each in own]
    usage = {piece for each in every for piece in (*each.before, *each.after)}
    calendars = reading_calendars({each.tenant_id for each in every} | {piece.tenant_id for piece in usage})
    book = PriceBook(price_spans({piece.gpu_class_id for piece in usage}))
    changes = []
    for own in supposed:
        change = Change()
        for each in own:
            _count(change, each, book, calendars, (known.settled_to.get(each.subject_id) or BEGINNING, now))
        changes.append(change)
    return changes


def _count(change: Change, supposed: _Supposed, book: PriceBook, calendars: Calendars, times: tuple[datetime, datetime]) -> None:
    """Rate what differs; `times`: up to when it is settled, and now."""
    since = supposed.differs_from
    if since is None:
        return
    settled_to, now = times
    if supposed.is_volume:
        since = calendars[supposed.tenant_id].day_start(since)
        until = max(settled_to, volume_watermark(calendars, supposed.tenant_id, now))
    else:
        since, until = floor_hour(since), max(settled_to, watermark(now))
    unpriced: dict[int, list[datetime]] = {-1: [], 1: []}
    for sign, usage in ((-1, supposed.before), (1, supposed.after)):
        of_time = [piece for piece in usage if piece.ends_at is None or piece.ends_at > since]
        found = lines_within(supposed.subject_id, of_time, book, calendars, (since, until), unpriced[sign])
        for line in found.values():
            change.add(line.usage.kind, sign * line.seconds, sign * line.amount, line.applied.price.currency)
    change.has_unpriced |= not set(unpriced[1]) <= set(unpriced[-1])


def _key(fact: Any) -> Hashable:
    """Name a fact among those of its instance or volume, as the database knows it and as it is metered."""
    return getattr(fact, "run_id", ""), fact.kind, fact.source, fact.at


def _counting(facts: Iterable[Any], keys: set[Hashable]) -> list[Any]:
    return [replace(fact, decided=True) if _key(fact) in keys else fact for fact in facts]
