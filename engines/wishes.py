"""How a wish is written, whoever has it: a person, a schedule, or the portal itself."""

from typing import Any

from django.db.models import QuerySet

from engines import hints, live
from engines.models import Instance, InstanceEvent
from engines.reasons import Reason
from engines.states import DesiredState
from tenants.models import User


def wish(instance: Instance, reason: Reason, *, by: User | None, evidence: str = "", **changes: Any) -> None:
    """Write a wish with the next generation and its event, on a locked row. `by` None: the portal itself."""
    Instance.objects.filter(pk=instance.pk).update(generation=instance.generation + 1, wish_reason=reason, **changes)
    instance.refresh_from_db()
    record_wish(instance, reason, by=by, evidence=evidence)


def stop_unasked(rows: QuerySet[Instance], reason: Reason) -> list[Instance]:
    """Let the portal itself wish these instances stopped, in the caller's transaction; return those that are to stop by it."""
    stopped = list(rows.filter(desired_state=DesiredState.RUNNING).select_for_update(no_key=True, of=("self",)).order_by("pk"))
    for instance in stopped:
        wish(instance, reason, by=None, desired_state=DesiredState.STOPPED)
    return stopped


def record_wish(instance: Instance, reason: Reason, *, by: User | None, evidence: str = "") -> None:
    """Append the event of the wish that was just written, and tell whoever acts on it or looks."""
    instance.log(InstanceEvent.Kind.WISH, reason, by=by, evidence=evidence)
    hints.reconcile_on_commit(instance.pk)
    live.announce_on_commit(instance)
