"""What people are told about release, each thing once: the keys name the run and the moment or trouble that it is about.

A moment that moves, because somebody keeps the engine or uses it, is another one: it is told of again when it comes near.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction

from engines.idle.decision import Decision, Known, Why
from engines.idle.policy import Policy
from engines.models import Instance, Use
from engines.states import DesiredState, InstanceState
from engines.telling import tell
from tenants.access import Action, people_who_may
from tenants.models import User

STEPS = (timedelta(minutes=2), timedelta(minutes=10))
"""How long before a release people are warned; the nearest first."""
SOON = timedelta(minutes=1)
"""How long it takes at least from now on: one more look."""


@dataclass(frozen=True)
class Due:
    """A warning that is due: a kind of notification, what it says, and what makes it another one than the last."""

    kind: str
    key: str
    context: Mapping[str, object]


def warn(instance: Instance, use: Use, known: Known, decision: Decision, policy: Policy, now: datetime) -> None:
    """Tell of what comes, and of what somebody should look at; called with every look, and may run late or twice.

    `use` is the row as it was before the look: what somebody asks while engines answer holds against what the look makes of it.
    """
    warning = due_warning(known, decision, policy, now)
    if warning is None and not decision.warn:
        return
    with transaction.atomic():
        fresh = _unless_asked_otherwise(instance, use)
        if fresh is not None and decision.warn:
            _tell_trouble(fresh, decision, now)
        if fresh is not None and warning is not None:
            tell(fresh, warning.kind, [fresh.owner], key=f"{fresh.run_id}:{warning.key}", **warning.context)


def due_warning(known: Known, decision: Decision, policy: Policy, now: datetime) -> Due | None:
    """Say which warning is due, if any. Pure.

    One whose moment went by while the engine worked, or nobody looked, is due before the last look. Nobody is warned of idleness
    while the engine works or does not say, for then it stays on; limits come nevertheless.
    """
    if decision.release or decision.due_at is None:
        return None
    left = decision.due_at - now
    step = next((each for each in STEPS if left <= each), None)
    if step is None or (left <= timedelta(0) and decision.why != Why.ONE_MORE_LOOK):
        return None
    key = f"{int(decision.due_at.timestamp())}:{_minutes(step)}"
    ends_at = max(decision.due_at, now + SOON)
    moment = ends_at.astimezone(UTC).isoformat()
    match decision.cause:
        case Why.IDLE if _will_be_idle(known, policy) and _leaves_time(decision, step):
            return Due("idle_warning", key, {"minutes": _minutes(ends_at - now)})
        case Why.LIFE_OVER:
            return Due("life_ends", key, {"ends_at": moment})
        case Why.SCHEDULE:
            return Due("schedule_stops", key, {"stops_at": moment})
    return None


def tell_released(instance: Instance, decision: Decision, known: Known, now: datetime) -> None:
    """Tell that it was released for being idle; other ends were told before, or asked for."""
    if decision.cause == Why.IDLE:
        uses = [known.ready_at, *(at for at in (known.user_at, known.api_at, known.stream_at) if at is not None)]
        key = f"{instance.run_id}:{instance.generation}"
        tell(instance, "idle_released", [instance.owner], key=key, minutes=_minutes(now - max(uses)))


def _will_be_idle(known: Known, policy: Policy) -> bool:
    return known.busy_since is None and (known.unknown_since is None or policy.release_unknown)


def _leaves_time(decision: Decision, step: timedelta) -> bool:
    """Whether some time passes between the last use and the warning: rules that allow little would else warn who uses it."""
    return decision.since is None or decision.due_at is None or decision.due_at - decision.since > step


def _unless_asked_otherwise(instance: Instance, use: Use) -> Instance | None:
    """Lock and read the instance again; None if it is no longer as wished, or somebody has asked something of it since."""
    rows = Instance.objects.filter(pk=instance.pk, run_id=instance.run_id, generation=instance.generation)
    rows = rows.filter(state=InstanceState.RUNNING, desired_state=DesiredState.RUNNING)
    # First the lock, then the row with its relations: see engines.operations.locks.
    if rows.select_for_update(no_key=True).values_list("pk").first() is None:
        return None
    asked = Use.objects.filter(pk=use.pk, run_id=use.run_id, keep_until=use.keep_until, when_free=use.when_free)
    return rows.select_related("tenant", "owner").first() if asked.exists() else None


def _tell_trouble(instance: Instance, decision: Decision, now: datetime) -> None:
    """Its owner and those who look after the team should know of an engine that is busy, or silent, for unusually long."""
    since = decision.since or now
    admins = people_who_may(Action.OPERATE_ALL, tenant_id=instance.tenant_id)
    people: Iterable[User] = [instance.owner, *admins]
    key, hours = f"{instance.run_id}:{int(since.timestamp())}", max(1, round((now - since).total_seconds() / 3600))
    if decision.why == Why.BUSY_TOO_LONG:
        tell(instance, "busy_too_long", people, key=key, hours=hours)
    elif not decision.release:
        tell(instance, "probe_unknown", people, key=key, minutes=_minutes(now - since))


def _minutes(time: timedelta) -> int:
    return max(1, round(time.total_seconds() / 60))
