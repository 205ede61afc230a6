"""How far an instance has come up, and how long that usually takes, both read from its events."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median, quantiles

from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from engines.models import EngineVersion, Instance, InstanceEvent
from engines.reasons import Reason
from engines.states import InstanceState

S = InstanceState
PHASES: tuple[InstanceState, ...] = (S.QUEUED, S.PROVISIONING, S.STARTING, S.RUNNING)
PHASE_NAMES: dict[InstanceState, Promise] = {
    S.QUEUED: _("Queued"),
    S.PROVISIONING: _("Provisioning"),
    S.STARTING: _("Starting"),
    S.RUNNING: _("Ready"),
}
# History is read from the newest starts only: enough for a median, and an engine gets faster over time.
RECENT_INSTANCES = 60
RECENT_EVENTS = 1500
# Nobody wants to hear that two seconds instead of one is slow.
SLOW_AT_LEAST_SECONDS = 5


@dataclass(frozen=True)
class Typical:
    """Seconds that a phase took in the past."""

    median: float
    slow: float  # from here on it is slower than usual
    starts: int


@dataclass(frozen=True)
class Step:
    """One phase of coming up; `status`: done, now, failed or ahead."""

    phase: InstanceState
    status: str
    began_at: datetime | None = None
    seconds: float | None = None  # once it is over
    typical: Typical | None = None

    @property
    def name(self) -> Promise:
        return PHASE_NAMES[self.phase]

    @property
    def slow_at(self) -> datetime | None:
        """When a phase that lasts becomes slower than usual."""
        if self.status != "now" or self.began_at is None or self.typical is None:
            return None
        return self.began_at + timedelta(seconds=self.typical.slow)

    @property
    def is_slow(self) -> bool:
        return self.slow_at is not None and self.slow_at <= timezone.now()


Move = tuple[InstanceState, datetime]


def typical_phases(version: EngineVersion) -> dict[int, dict[InstanceState, Typical]]:
    """Return, per GPU class id, what each phase of this version took lately; one query."""
    recent = Instance.objects.filter(engine_version=version).order_by("-created_at").values("pk")[:RECENT_INSTANCES]
    events = (
        InstanceEvent.objects.filter(_moves(), instance__in=recent)
        .order_by("-pk")
        .values_list("instance_id", "instance__gpu_class_id", "new_state", "at")[:RECENT_EVENTS]
    )
    moves: dict[tuple[object, int], list[Move]] = defaultdict(list)
    for instance_id, gpu_class_id, new_state, at in reversed(events):
        moves[instance_id, gpu_class_id].append((S(new_state or S.QUEUED), at))
    seconds: dict[int, dict[InstanceState, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (_instance, gpu_class_id), path in moves.items():
        for phase, lasted in _completed(path):
            seconds[gpu_class_id][phase].append(lasted)
    return {each: {phase: _typical(values) for phase, values in phases.items()} for each, phases in seconds.items()}


def typical_start_seconds(phases: dict[InstanceState, Typical]) -> float | None:
    """Return how long a start takes once a GPU is free, or None without history."""
    if S.STARTING not in phases:
        return None
    return sum(phases[phase].median for phase in (S.PROVISIONING, S.STARTING) if phase in phases)


def seconds_until_ready(instance: Instance, *, now: datetime) -> float | None:
    """Return about how long an instance on its way up still takes, as its kind did lately; None without history.

    The wait for a free GPU is not counted: it depends on others.
    """
    typical = typical_phases(instance.engine_version).get(instance.gpu_class_id, {})
    if S.STARTING not in typical:
        return None
    lasted = (now - instance.state_since).total_seconds()
    return sum(
        max(0, typical[phase].median - (lasted if phase == instance.state else 0))
        for phase in (S.PROVISIONING, S.STARTING)
        if phase in typical and not (phase == S.PROVISIONING and instance.state == S.STARTING)
    )


def steps_of(instance: Instance) -> list[Step]:
    """Return the phases of the present or last attempt to come up; two queries."""
    typical = typical_phases(instance.engine_version).get(instance.gpu_class_id, {})
    path = _last_attempt(instance)
    began = dict(path)
    ended = {phase: following for (phase, _at), (_next, following) in pairwise(path)}
    reached = [phase for phase in PHASES if phase in began]
    current = reached[-1] if reached else None
    seconds = {phase: (ended[phase] - began[phase]).total_seconds() for phase in PHASES if phase in ended}
    return [
        Step(phase, _status(phase, current, instance), began.get(phase), seconds.get(phase), typical.get(phase))
        for phase in PHASES
    ]


def queue_position(instance: Instance) -> int | None:
    """Return the place in the queue for its class and cluster, 1 for the next; None unless it waits."""
    if instance.state != S.QUEUED:
        return None
    return Instance.objects.ahead_of(instance).count() + 1


def _moves() -> Q:
    # A launch enters the queue by its wish; every later entrance is a transition.
    return Q(kind=InstanceEvent.Kind.TRANSITION) | Q(kind=InstanceEvent.Kind.WISH, reason=Reason.LAUNCHED)


def _last_attempt(instance: Instance) -> list[Move]:
    """Return the moves since the instance last entered the queue, without those that a relapse has undone."""
    newest_first = instance.events.filter(_moves()).order_by("-pk").values_list("new_state", "at")[:40]
    path: list[Move] = []
    for new_state, at in newest_first:
        state = S(new_state or S.QUEUED)
        path.insert(0, (state, at))
        if state == S.QUEUED:
            break
    forward: list[Move] = []
    for state, at in path:
        if state in PHASES:
            forward = [move for move in forward if PHASES.index(move[0]) < PHASES.index(state)]
        forward.append((state, at))
    return forward


def _status(phase: InstanceState, current: InstanceState | None, instance: Instance) -> str:
    if current is None or PHASES.index(phase) > PHASES.index(current):
        return "ahead"
    if phase != current:
        return "done"
    if instance.state == S.FAILED:
        return "failed"
    return "done" if phase == S.RUNNING else "now"


def _completed(path: Iterable[Move]) -> Iterator[tuple[InstanceState, float]]:
    """Yield the phases that ended by moving on, with their seconds."""
    for (phase, began), (following, ended) in pairwise(path):
        if phase in PHASES[:-1] and following in PHASES and PHASES.index(following) > PHASES.index(phase):
            yield phase, (ended - began).total_seconds()


def _typical(seconds: list[float]) -> Typical:
    usual = median(seconds)
    ninth_decile = quantiles(seconds, n=10, method="inclusive")[-1] if len(seconds) > 1 else usual
    return Typical(usual, max(ninth_decile, 1.5 * usual, SLOW_AT_LEAST_SECONDS), len(seconds))
