"""What people are told about release, each thing once: the keys name the run and what it is about."""

from datetime import datetime, timedelta

from engines.idle.decision import Decision, Known, Why
from engines.idle.policy import Policy
from engines.models import Instance
from engines.telling import tell
from tenants.models import Role, User

WARNINGS = (timedelta(minutes=2), timedelta(minutes=10))
LOOKERS_AFTER = {Role.OWNER, Role.ADMIN}


def warn(instance: Instance, decision: Decision, policy: Policy, now: datetime) -> None:
    """Tell of what comes, and of what somebody should look at; called with every look."""
    if decision.warn:
        _tell_trouble(instance, decision, now)
    if decision.release or decision.due_at is None or decision.cause is None:
        return
    left = decision.due_at - now
    step = next((each for each in WARNINGS if left <= each), None)
    if step is None or left <= timedelta(0):
        return
    match decision.cause:
        case Why.IDLE if policy.idle > step:
            _tell_owner(instance, "idle_warning", decision.due_at, step, minutes=_minutes(left))
        case Why.LIFE_OVER:
            _tell_owner(instance, "life_ends", decision.due_at, step, ends_at=decision.due_at.isoformat())
        case Why.SCHEDULE:
            _tell_owner(instance, "schedule_stops", decision.due_at, step, stops_at=decision.due_at.isoformat())


def tell_released(instance: Instance, decision: Decision, known: Known, now: datetime) -> None:
    """Tell that it was released for being idle; other ends were told before, or asked for."""
    if decision.why == Why.IDLE:
        uses = [known.ready_at, *(at for at in (known.user_at, known.api_at, known.stream_at) if at is not None)]
        tell(instance, "idle_released", [instance.owner], instance.run_id, minutes=_minutes(now - max(uses)))


def _tell_owner(instance: Instance, kind: str, due_at: datetime, step: timedelta, **context: object) -> None:
    """A moment that moves, because somebody used or kept the engine, is another one to warn of."""
    tell(instance, kind, [instance.owner], f"{instance.run_id}:{due_at:%Y%m%dT%H%M%S}:{_minutes(step)}", **context)


def _tell_trouble(instance: Instance, decision: Decision, now: datetime) -> None:
    """Its owner and those who look after the team should know of an engine that is busy, or silent, for unusually long."""
    since = decision.since or now
    admins = User.objects.filter(memberships__tenant=instance.tenant, memberships__role__in=LOOKERS_AFTER)
    people = [instance.owner, *admins]
    key = f"{instance.run_id}:{since:%Y%m%dT%H%M%S}"
    if decision.why == Why.BUSY_TOO_LONG:
        tell(instance, "busy_too_long", people, key, hours=max(1, round((now - since).total_seconds() / 3600)))
    else:
        tell(instance, "probe_unknown", people, key, minutes=_minutes(now - since))


def _minutes(time: timedelta) -> int:
    return max(1, round(time.total_seconds() / 60))
