"""From facts in the database to usage intervals: for many instances or volumes at once."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q, Window
from django.db.models.functions import Lag, Lead

from aigc_portal.arrays import one_of
from billing.doubts import in_doubt
from billing.metering import BillFrom, Fact, Kind, Metered, OwnerChange, TagChange, Usage, meter
from billing.models import UsageInterval
from billing.quarantine import DOUBTFUL
from billing.storage import VolumeFact, meter_volume
from engines import models as engines
from engines.models import Handover, Instance, RunFact
from engines.states import HOLDS_GPU

_FIELDS = (
    *("run_id", "starts_at", "ends_at", "tenant_id", "owner_id", "gpu_class_id"),
    *("kind", "quantity_milli", "tag", "storage_class"),
)


@dataclass(slots=True)
class Measured:
    """What the facts of some instances or volumes come to, written down."""

    usage: dict[UUID, list[Usage]] = field(default_factory=dict)  # billed, by start
    changed_from: dict[UUID, datetime] = field(default_factory=dict)  # of those that differ from what was written before
    anomalies: dict[UUID, list[str]] = field(default_factory=dict)
    quarantined: dict[UUID, int] = field(default_factory=dict)  # facts that wait for an operator's word


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """All that the usage of some instances is worked out from. Reading it writes nothing."""

    states: Mapping[UUID, str]
    facts: Mapping[UUID, list[Fact]]
    handovers: Mapping[UUID, Iterable[OwnerChange]]
    tag_changes: Mapping[UUID, Iterable[TagChange]]

    @classmethod
    def read(cls, instance_ids: Collection[UUID]) -> Self:
        """Read it. Five queries."""
        # The states first: a run that is seen here to be over has its end among the facts that are read next.
        states = dict(Instance.objects.filter(pk__in=one_of(instance_ids)).values_list("pk", "state"))
        return cls(states, _facts(instance_ids), _handovers(instance_ids), _tag_changes(instance_ids))

    def metered(self, instance_id: UUID, facts: Iterable[Fact]) -> Metered:
        """Tell what these facts about the instance come to."""
        return meter(
            facts,
            holds_gpu=self.states[instance_id] in HOLDS_GPU,
            bill_from=BillFrom(settings.BILL_FROM),
            handovers=self.handovers[instance_id],
            tag_changes=self.tag_changes[instance_id],
        )


def measure_instances(instance_ids: Collection[UUID]) -> Measured:
    """Write down the usage that the facts of these instances come to. Their meters are locked."""
    known, measured, found = InstanceFacts.read(instance_ids), Measured(), {}
    for pk in instance_ids:
        metered = known.metered(pk, known.facts[pk])
        measured.usage[pk] = list(metered.usage)
        measured.anomalies[pk] = [f"{anomaly.run_id}: {anomaly.trouble}" for anomaly in metered.anomalies]
        measured.quarantined[pk] = in_doubt(known.facts[pk])
        found[pk] = (*metered.usage, *metered.unbilled)
    measured.changed_from = _write(found, "instance_id")
    return measured


def measure_volumes(volume_ids: Collection[UUID]) -> Measured:
    """Write down the usage that the facts of these volumes come to. Their meters are locked."""
    facts = volume_facts(volume_ids)
    found = {pk: meter_volume(facts[pk]) for pk in volume_ids}
    return Measured(
        usage={pk: list(usage) for pk, usage in found.items()},
        changed_from=_write(found, "volume_id"),
        quarantined={pk: in_doubt(facts[pk]) for pk in volume_ids},
    )


def volume_facts(volume_ids: Collection[UUID]) -> Mapping[UUID, list[VolumeFact]]:
    """Read all that the usage of these volumes is worked out from. One query."""
    facts: dict[UUID, list[VolumeFact]] = defaultdict(list)
    rows = engines.VolumeFact.objects.filter(volume_id__in=one_of(volume_ids)).annotate(decided=F("decision__counts"))
    for row in rows.order_by():
        facts[row.volume_id].append(
            VolumeFact(
                *(row.kind, row.source, row.at, row.observed_at, row.tenant_id, row.owner_id),
                *(row.size_gib, row.storage_class, row.tag, row.decided),
            )
        )
    return facts


def written_usage(subject_ids: Collection[UUID], subject: str, *, since: datetime) -> dict[UUID, list[Usage]]:
    """Return the billed usage that is written down of these instances or volumes and reaches beyond `since`; `subject`: the
    column that names them."""
    rows = UsageInterval.objects.billed().filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=since), **{f"{subject}__in": one_of(subject_ids)}
    )
    found: dict[UUID, list[Usage]] = defaultdict(list)
    for row in rows.order_by("starts_at").values_list(subject, *_FIELDS):
        found[row[0]].append(Usage(*row[1:]))
    return found


def _write(found: Mapping[UUID, Collection[Usage]], subject: str) -> dict[UUID, datetime]:
    """Make the intervals of these subjects what was found; return from when on each differs from before."""
    rows = UsageInterval.objects.filter(**{f"{subject}__in": one_of(found)})
    written: dict[UUID, dict[Usage, int]] = defaultdict(dict)
    for row in rows.order_by().values_list("pk", subject, *_FIELDS):
        written[row[1]][Usage(*row[2:])] = row[0]
    gone, fresh, changed_from = [], [], {}
    for pk, usage in found.items():
        before, now = written[pk].keys(), set(usage)
        if before == now:
            continue
        gone += [written[pk][piece] for piece in before - now]
        fresh += [_interval(pk, piece, subject) for piece in sorted(now - before, key=lambda piece: piece.starts_at)]
        changed_from[pk] = min(piece.starts_at for piece in before ^ now)
    if gone:
        UsageInterval.objects.filter(pk__in=gone).delete()
    if fresh:
        UsageInterval.objects.bulk_create(fresh)
    return changed_from


def _interval(subject_id: UUID, usage: Usage, subject: str) -> UsageInterval:
    return UsageInterval(**{subject: subject_id}, **{name: getattr(usage, name) for name in _FIELDS})


def _facts(instance_ids: Collection[UUID]) -> dict[UUID, list[Fact]]:
    """Read facts; of the many signs of life only each run's last, those that tell a change, and those in doubt."""
    of_instances = RunFact.objects.filter(instance_id__in=one_of(instance_ids)).order_by()
    signs = of_instances.filter(kind=Kind.SEEN)
    telling = signs.exclude(DOUBTFUL).annotate(
        owner_before=_in_run(Lag("owner_id")),
        tenant_before=_in_run(Lag("tenant_id")),
        tag_before=_in_run(Lag("tag")),
        after=_in_run(Lead("pk")),
    )
    changed = ~Q(owner_before=F("owner_id")) | ~Q(tenant_before=F("tenant_id")) | ~Q(tag_before=F("tag"))
    telling = telling.filter(Q(owner_before__isnull=True) | changed | Q(after__isnull=True))
    found: dict[UUID, list[Fact]] = defaultdict(list)
    others = of_instances.filter(~Q(kind=Kind.SEEN) | DOUBTFUL).annotate(decided=F("decision__counts"))
    for row in (*others, *telling):
        found[row.instance_id].append(
            Fact(
                run_id=row.run_id,
                kind=row.kind,
                source=row.source,
                at=row.at,
                observed_at=row.observed_at,
                tenant_id=row.tenant_id,
                owner_id=row.owner_id,
                gpu_class_id=row.gpu_class_id,
                quantity_milli=row.quantity_milli,
                tag=row.tag,
                decided=getattr(row, "decided", None),
            )
        )
    return found


def _in_run(neighbour: Lag | Lead) -> Window:
    return Window(neighbour, partition_by=["run_id"], order_by=["at", "source", "pk"])


def _handovers(instance_ids: Collection[UUID]) -> Mapping[UUID, Iterable[OwnerChange]]:
    found: dict[UUID, list[OwnerChange]] = defaultdict(list)
    for row in Handover.objects.filter(instance_id__in=one_of(instance_ids)).order_by("at", "pk"):
        found[row.instance_id].append(OwnerChange(row.at, row.from_owner_id, row.to_owner_id))
    return found


def _tag_changes(instance_ids: Collection[UUID]) -> Mapping[UUID, Iterable[TagChange]]:
    found: dict[UUID, list[TagChange]] = defaultdict(list)
    for row in engines.TagChange.objects.filter(instance_id__in=one_of(instance_ids)).order_by("at", "pk"):
        found[row.instance_id].append(TagChange(row.at, row.from_tag, row.to_tag))
    return found
