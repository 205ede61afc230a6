"""A release in two halves, so that a request in the last moment wins.

First the instance is marked, and every gwauth is told. From then on whoever lets a request in that counts as use clears the mark,
in the database and before the request passes. Twenty seconds later, when every process has written what it remembered from
before, use and engine are looked at once more, and the wish to stop is written under the lock of the mark: exactly one side wins.
"""

import logging
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from engines import hints, live
from engines.activity.recorded import ActivityUnavailable, Recorded, read
from engines.idle.decision import Decision, Known, Why, counted, decide
from engines.idle.policy import Policy
from engines.models import Instance, Use
from engines.reasons import Reason
from engines.release.asking import ask
from engines.release.knowing import joined_use, known_of
from engines.release.rules import policy_for
from engines.release.telling import tell_released
from engines.states import DesiredState, InstanceState
from engines.wishes import wish

log = logging.getLogger(__name__)
NOTICE = timedelta(seconds=20)
"""Longer than a gwauth remembers without being told (2 s), waits for a look-up (4 s), and takes to write it down (11 s)."""
REASONS = {
    Why.IDLE: Reason.IDLE_RELEASED,
    Why.QUEUE_EMPTY: Reason.QUEUE_EMPTY,
    Why.SCHEDULE: Reason.SCHEDULE_STOPPED,
    Why.LIFE_OVER: Reason.LIFE_OVER,
    Why.BUSY_TOO_LONG: Reason.BUSY_TOO_LONG,
    Why.UNKNOWN_TOO_LONG: Reason.UNKNOWN_TOO_LONG,
}


IN_ANY_CASE = frozenset({Why.LIFE_OVER, Why.SCHEDULE})
"""What ends a run however much it is used."""


def begin(instance: Instance, use: Use) -> None:
    """Mark the instance, unless it is marked or somebody asked to keep it since it was read."""
    with transaction.atomic():
        unmarked = Use.objects.filter(pk=use.pk, run_id=use.run_id, releasing_since=None)
        if unmarked.filter(keep_until=use.keep_until, when_free=use.when_free).update(releasing_since=timezone.now()):
            live.announce_on_commit(instance)
            hints.finish_release_on_commit(instance.pk, seconds=NOTICE.total_seconds())


def yields_to_use(instance: Instance) -> bool:
    """Tell whether its present run is marked, and stays if somebody uses it now; reads its `use`."""
    use = joined_use(instance)
    return use is not None and use.releasing_since is not None and use.why not in IN_ANY_CASE


def clear(slug: str) -> bool:
    """Somebody uses the engine after all: drop its mark. False if it has none, also because it was released a moment ago."""
    marked = Use.objects.filter(instance__slug=slug, releasing_since__isnull=False).exclude(why__in=IN_ANY_CASE)
    if not marked.update(releasing_since=None, user_at=timezone.now(), free_looks=0):
        return False
    live.announce(Instance.objects.get(slug=slug))
    return True


def overdue() -> QuerySet[Use]:
    """Marks whose second half is due: also those whose hint was lost."""
    return Use.objects.filter(releasing_since__lte=timezone.now() - NOTICE)


def finish(instance_id: UUID | str) -> bool:
    """Look once more, then wish the instance stopped or clear the mark. True if it is released now; may run late or twice."""
    rows = Instance.objects.select_related("engine_version__engine", "gpu_class", "cluster", "tenant", "owner", "volume", "use")
    instance = rows.filter(pk=instance_id, use__in=overdue()).first()
    if instance is None:
        return False
    use, policy = instance.use, policy_for(instance)
    try:
        recorded = read([instance.slug]).get(instance.slug, Recorded())
    except ActivityUnavailable as error:
        log.warning("%s is kept: %s", instance.slug, error)
        return _unmark(use)
    if not _still_runs(instance) or use.run_id != instance.run_id:
        return _unmark(use)
    look, now = ask(instance), timezone.now()
    known = counted(known_of(instance, use, recorded, now), look, now)
    decision = decide(known, policy, now, look)
    if not decision.release:
        return _unmark(use)
    return _release(instance, use, decision, known, evidence=evidence_of(known, decision, policy))


def _still_runs(instance: Instance) -> bool:
    return instance.state == InstanceState.RUNNING and instance.desired_state == DesiredState.RUNNING


def _unmark(use: Use) -> bool:
    Use.objects.filter(pk=use.pk, releasing_since=use.releasing_since).update(releasing_since=None, free_looks=0)
    return False


@transaction.atomic
def _release(instance: Instance, use: Use, decision: Decision, known: Known, *, evidence: str) -> bool:
    """Write the wish under the lock of the mark, if both are still what was read."""
    unmoved = Instance.objects.filter(
        pk=instance.pk, state=InstanceState.RUNNING, desired_state=DesiredState.RUNNING, generation=instance.generation
    )
    asked = {"keep_until": use.keep_until, "when_free": use.when_free, "releasing_since": use.releasing_since}
    unasked = Use.objects.filter(pk=use.pk, **asked)
    # In this order, as operations do: the instance, then its use.
    if not all(rows.select_for_update(of=("self",), no_key=True).first() for rows in (unmoved, unasked)):
        return False
    unasked.update(releasing_since=None, when_free=False, stop_due_at=None)
    tell_released(instance, decision, known, timezone.now())
    wish(instance, REASONS[decision.why], by=None, evidence=evidence, desired_state=DesiredState.STOPPED)
    return True


def evidence_of(known: Known, decision: Decision, policy: Policy) -> str:
    """Say by which signals and rule it was released, for the timeline."""
    moments = {
        "ready": known.ready_at,
        "last use": known.user_at,
        "last call by a program": known.api_at,
        "last open stream": known.stream_at,
        "kept until": known.keep_until,
        "busy since": known.busy_since,
        "unknown since": known.unknown_since,
        "due": decision.due_at,
    }
    lines = [f"{name}: {moment:%F %T %Z}" for name, moment in moments.items() if moment is not None]
    lines.append(f"idle after: {policy.idle}")
    lines.append(f"rule: {policy.name or 'none, defaults'}")
    if decision.evidence:
        lines.append(f"engine: {decision.evidence}")
    return "\n".join(lines)
