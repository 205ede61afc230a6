"""Why is it still on, and when will it stop? The last look's answer, for people."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from engines.idle.decision import SOON, Why
from engines.models import Instance, Schedule, Use
from engines.release.asking import is_mute
from engines.release.rules import policy_for
from engines.states import DesiredState, InstanceState

SENTENCES: dict[str, Promise] = {
    Why.EXEMPT: _("A rule exempts it from being released when idle."),
    Why.WARM_UP: _("It has just become ready."),
    Why.MINIMUM_RUN: _("It runs for at least as long as its rule says."),
    Why.USED: _("Somebody used it."),
    Why.CALLED: _("A program called it."),
    Why.KEPT: _("Somebody asked to keep it on."),
    Why.WORKING_HOURS: _("Engines stay on in working hours."),
    Why.BUSY: _("It is working."),
    Why.STREAM: _("A page waits for a result."),
    Why.LOAD: _("Its processor or GPU is working."),
    Why.UNKNOWN: _("It does not say whether it works."),
    Why.ONE_MORE_LOOK: _("Nobody uses it and it is free. One more look, then it is released."),
    Why.IDLE: _("Nobody uses it and it is free. It is being released."),
    Why.QUEUE_EMPTY: _("Its queue is empty. It is being released, as asked."),
    Why.SCHEDULE: _("Its schedule stops it."),
    Why.LIFE_OVER: _("It has run for as long as it may at a time."),
    Why.BUSY_TOO_LONG: _("It has been busy for unusually long."),
    Why.UNKNOWN_TOO_LONG: _("It has not said for a long time whether it works."),
}
ONE_CLICK = timedelta(hours=1)
"""What one click keeps an engine for, where its rule allows as much."""
HOLDS_BEYOND_DUE = frozenset({Why.BUSY, Why.STREAM, Why.LOAD, Why.UNKNOWN, Why.ONE_MORE_LOOK})
"""Reasons that hold an instance though nobody has used it for long enough."""


@dataclass(frozen=True)
class Answer:
    """Why a running instance is on. `stops_at` is when it will be released if nobody uses it; None while that is not known."""

    why: Why
    since: datetime | None
    stops_at: datetime | None
    evidence: str
    kept_until: datetime | None
    when_free: bool
    releasing: bool
    may_ask_when_free: bool
    looked_at: datetime | None

    @property
    def sentence(self) -> Promise:
        return SENTENCES[self.why]

    @property
    def is_soon(self) -> bool:
        """Whether somebody who looks should be warned."""
        if self.releasing:
            return True
        return self.stops_at is not None and self.stops_at - timezone.now() <= SOON

    @property
    def asks_to_be_kept(self) -> bool:
        """Whether a click that keeps it on would change anything worth a button."""
        return self.kept_until is None or self.is_soon


def why_on(instance: Instance) -> Answer | None:
    """Answer for a running instance whose `use` is joined; None for one that does not run, or that no look has seen yet."""
    if instance.state != InstanceState.RUNNING or instance.desired_state != DesiredState.RUNNING:
        return None
    use = getattr(instance, "use", None)  # a row that need not exist
    if use is None or use.run_id != instance.run_id or not use.why:
        return None
    return answer_of(instance, use)


def answer_of(instance: Instance, use: Use) -> Answer:
    """Put the row into words."""
    why = Why(use.why)
    return Answer(
        why=why,
        since=_since(why, use, instance),
        stops_at=None if why in HOLDS_BEYOND_DUE else use.due_at,
        evidence=use.evidence,
        kept_until=use.keep_until if use.keep_until and use.keep_until > timezone.now() else None,
        when_free=use.when_free,
        releasing=use.releasing_since is not None,
        may_ask_when_free=not is_mute(instance),
        looked_at=use.looked_at,
    )


def keep_minutes(instance: Instance, stay: Answer | None) -> int:
    """Say how many minutes one click keeps the instance on, 0 if none should be offered; one query, if any."""
    if stay is None or not stay.asks_to_be_kept:
        return 0
    return int(min(ONE_CLICK, policy_for(instance).maximum_keep).total_seconds() // 60)


def schedules_of(instance: Instance) -> list[Schedule]:
    """The instance's own schedules and its tenant's; one query."""
    of_tenant = Schedule.objects.filter(tenant_id=instance.tenant_id).select_related("made_by")
    return [each for each in of_tenant if each.instance_id in {None, instance.pk}]


def _since(why: Why, use: Use, instance: Instance) -> datetime | None:
    moments = {
        Why.USED: use.user_at,
        Why.CALLED: use.api_at,
        Why.STREAM: use.stream_at,
        Why.BUSY: use.busy_since,
        Why.BUSY_TOO_LONG: use.busy_since,
        Why.LOAD: use.busy_since,
        Why.UNKNOWN: use.unknown_since,
        Why.UNKNOWN_TOO_LONG: use.unknown_since,
        Why.WARM_UP: instance.ready_at,
    }
    return moments.get(why)
