"""What people are told about release, each thing once: the keys name the run and what it is about."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from engines.idle.decision import Decision, Known, Why
from engines.idle.policy import Policy
from engines.models import Instance
from tenants.models import Role, User
from tenants.notifications.operations import notify

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
            _tell_owner(instance, "idle_warning", decision.due_at, {"minutes": _minutes(left)}, step)
        case Why.LIFE_OVER:
            _tell_owner(instance, "life_ends", decision.due_at, {"ends_at": decision.due_at.isoformat()}, step)
        case Why.SCHEDULE:
            _tell_owner(instance, "schedule_stops", decision.due_at, {"stops_at": decision.due_at.isoformat()}, step)


def tell_released(instance: Instance, decision: Decision, known: Known, now: datetime) -> None:
    """Tell that it was released for being idle; other ends were told before, or asked for."""
    if decision.why == Why.IDLE:
        uses = [known.ready_at, *(at for at in (known.user_at, known.api_at, known.stream_at) if at is not None)]
        _notify(instance, "idle_released", [instance.owner], "", {"minutes": _minutes(now - max(uses))})


def _tell_owner(instance: Instance, kind: str, due_at: datetime, context: dict[str, object], step: timedelta) -> None:
    _notify(instance, kind, [instance.owner], f"{due_at:%Y%m%dT%H%M%S}:{_minutes(step)}", context)


def _tell_trouble(instance: Instance, decision: Decision, now: datetime) -> None:
    """Its owner and those who look after the team should know of an engine that is busy, or silent, for unusually long."""
    since = decision.since or now
    admins = User.objects.filter(memberships__tenant=instance.tenant, memberships__role__in=LOOKERS_AFTER)
    people = [instance.owner, *admins]
    key, hours = f"{since:%Y%m%dT%H%M%S}", max(1, round((now - since).total_seconds() / 3600))
    if decision.why == Why.BUSY_TOO_LONG:
        _notify(instance, "busy_too_long", people, key, {"hours": hours})
    else:
        _notify(instance, "probe_unknown", people, key, {"minutes": _minutes(now - since)})


def _notify(instance: Instance, kind: str, people: Iterable[User], key: str, context: dict[str, object]) -> None:
    notify(
        tenant=instance.tenant,
        kind=kind,
        recipients=people,
        key=f"{instance.slug}:{instance.run_id}:{key}"[:200],
        subject=instance.slug,
        context={"name": instance.name, **context},
    )


def _minutes(time: timedelta) -> int:
    return max(1, round(time.total_seconds() / 60))
