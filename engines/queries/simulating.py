"""What another idle time would have meant, from the stored use of the last thirty days."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Max, Min, Q
from django.utils import timezone

from aigc_portal.arrays import one_of
from engines.idle.simulation import Outcome, Run, Span, replays
from engines.models import GpuClass, Instance, InstanceEvent, RunFact, UseSpan
from engines.reasons import Reason

LOOK_BACK = timedelta(days=30)
CHOICES = (5, 10, 15, 20, 30, 45, 60, 120, 240)


class Past(NamedTuple):
    """A run that is over."""

    gpu_class_id: int
    run_id: str
    run: Run
    instance_id: UUID


@dataclass
class ClassOutcome:
    """One GPU class, and what each idle time (minutes) would have meant for it."""

    gpu_class: GpuClass
    runs: int = 0
    seconds: float = 0.0
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    @property
    def hours(self) -> float:
        return self.seconds / 3600 * max(1, self.gpu_class.count)

    def gpu_hours_saved(self, minutes: int) -> float:
        """GPU-hours that would have been free; negative where GPUs would have been held for longer."""
        return self.outcomes[minutes].saved.total_seconds() / 3600 * max(1, self.gpu_class.count)


def simulate(
    *, warm_up: timedelta, choices: Iterable[int] = CHOICES, tenant_id: int | None = None, engine_id: int | None = None
) -> list[ClassOutcome]:
    """Replay every run that ended within the last thirty days; four queries."""
    runs: dict[int, list[Run]] = defaultdict(list)
    for past in past_runs(timezone.now() - LOOK_BACK, tenant_id=tenant_id, engine_id=engine_id):
        runs[past.gpu_class_id].append(past.run)
    minutes = list(choices)
    found = []
    for gpu_class in GpuClass.objects.filter(pk__in=runs):
        of_class = runs[gpu_class.pk]
        row = ClassOutcome(gpu_class, len(of_class), sum((run.ended_at - run.ready_at).total_seconds() for run in of_class))
        outcomes = replays(of_class, idles=[timedelta(minutes=each) for each in minutes], warm_up=warm_up)
        row.outcomes = dict(zip(minutes, outcomes, strict=True))
        found.append(row)
    return found


def past_runs(
    since: datetime, *, tenant_id: int | None = None, engine_id: int | None = None, owner_id: int | None = None
) -> Iterator[Past]:
    """Yield every run that has ended since, with its use; four queries."""
    kinds = RunFact.Kind
    facts = RunFact.objects.filter(**_only(tenant_id=tenant_id, engine_version__engine_id=engine_id, owner_id=owner_id))
    # By instance and moment, of which there is an index: facts are kept for ever.
    instances = Instance.objects.filter(**_only(tenant_id=tenant_id))
    over = facts.filter(instance__in=instances, kind=kinds.ENDED, at__gte=since).values("run_id")
    ended = (
        facts.filter(run_id__in=over, kind__in=[kinds.STARTED, kinds.READY, kinds.ENDED])
        .values("run_id", "instance_id", "gpu_class_id")
        .annotate(
            ready=Min("at", filter=Q(kind=kinds.READY)),
            started=Min("at", filter=Q(kind=kinds.STARTED)),
            ended=Max("at", filter=Q(kind=kinds.ENDED)),
        )
        .filter(ended__gte=since, ready__isnull=False)
    )
    rows = list(ended)
    spans = _spans([row["run_id"] for row in rows])
    idle_ends = _idle_ends([row["run_id"] for row in rows])
    starts: dict[Any, list[datetime]] = defaultdict(list)
    for instance_id, at in RunFact.objects.filter(
        kind=kinds.STARTED, instance__in=Instance.objects.filter(pk__in={row["instance_id"] for row in rows})
    ).values_list("instance_id", "at"):
        starts[instance_id].append(at)
    for row in rows:
        if row["ended"] > row["ready"]:
            following = min((at for at in starts[row["instance_id"]] if at > row["ended"]), default=None)
            uses = spans[row["run_id"]]
            last_use = max((span.ended_at for span in uses), default=row["ready"])
            idle_after = row["ended"] - last_use if row["run_id"] in idle_ends else None
            run = Run(row["ready"], row["ended"], uses, idle_after, following)
            yield Past(row["gpu_class_id"], row["run_id"], run, row["instance_id"])


def _spans(run_ids: list[str]) -> dict[str, list[Span]]:
    result: dict[str, list[Span]] = defaultdict(list)
    found = UseSpan.objects.filter(run_id__in=one_of(run_ids, "text")).values_list("run_id", "began_at", "ended_at", "kind")
    for run_id, began_at, ended_at, kind in found:
        result[run_id].append(Span(began_at, ended_at, by_somebody=kind != UseSpan.Kind.WORK))
    return result


def _idle_ends(run_ids: list[str]) -> set[str]:
    wishes = InstanceEvent.objects.filter(kind=InstanceEvent.Kind.WISH, reason=Reason.IDLE_RELEASED)
    return set(wishes.filter(run_id__in=one_of(run_ids, "text")).values_list("run_id", flat=True))


def _only(**conditions: int | None) -> dict[str, int]:
    return {name: value for name, value in conditions.items() if value is not None}
