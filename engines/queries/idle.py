"""Why is it still on, and when will it stop? The last look's answer and the rule behind it, for people."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from engines.idle.decision import SOON, Why
from engines.idle.policy import Policy
from engines.models import IdleRule, Instance, Schedule, Use
from engines.release.asking import is_mute
from engines.release.knowing import joined_use
from engines.release.rules import policy_for
from engines.states import DesiredState, InstanceState

SENTENCES: dict[str, Promise] = {
    Why.EXEMPT: _("A rule keeps it from being released for being idle."),
    Why.WARM_UP: _("It has just become ready."),
    Why.MINIMUM_RUN: _("Its rule keeps it on for a while after each start."),
    Why.USED: _("Somebody used it."),
    Why.CALLED: _("A program called it."),
    Why.KEPT: _("Somebody asked to keep it on."),
    Why.WORKING_HOURS: _("Engines stay on in working hours."),
    Why.BUSY: _("It is busy."),
    Why.STREAM: _("Somebody’s page is waiting for a result."),
    Why.LOAD: _("Its processor or GPU is busy."),
    Why.UNKNOWN: _("It does not say whether it is busy."),
    Why.ONE_MORE_LOOK: _("Nobody uses it and it is free. One more look, then it is released."),
    Why.IDLE: _("Nobody uses it and it is free. It is being released."),
    Why.QUEUE_EMPTY: _("Its queue is empty. It is being released, as asked."),
    Why.SCHEDULE: _("Its schedule pauses it."),
    Why.LIFE_OVER: _("It has run for as long as it may at a time."),
    Why.BUSY_TOO_LONG: _("It has been busy for unusually long."),
    Why.UNKNOWN_TOO_LONG: _("It has not said for a long time whether it is busy."),
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
    def may_keep(self) -> bool:
        """Whether to offer to keep it on: not while somebody has, unless that is nearly over."""
        return self.kept_until is None or self.is_soon

    @property
    def is_soon(self) -> bool:
        """Whether somebody who looks should be warned."""
        if self.releasing:
            return True
        return self.stops_at is not None and self.stops_at - timezone.now() <= SOON


def why_on(instance: Instance) -> Answer | None:
    """Answer for a running instance whose `use` is joined; None for one that does not run, or that no look has seen yet."""
    if instance.state != InstanceState.RUNNING or instance.desired_state != DesiredState.RUNNING:
        return None
    use = joined_use(instance)
    return answer_of(instance, use) if use is not None and use.why else None


def answer_of(instance: Instance, use: Use) -> Answer:
    """Put the row into words."""
    why = Why(use.why)
    return Answer(
        why=why,
        since=_since(why, use),
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
    if stay is None or not stay.may_keep:
        return 0
    return int(min(ONE_CLICK, policy_for(instance).maximum_keep).total_seconds() // 60)


def schedules_of(instance: Instance) -> list[Schedule]:
    """The instance's own schedules and its tenant's; one query."""
    of_tenant = Schedule.objects.filter(tenant_id=instance.tenant_id).select_related("made_by")
    return [each for each in of_tenant if each.instance_id in {None, instance.pk}]


def own_rule(tenant_id: int) -> IdleRule | None:
    """Return what a team has made stricter for itself."""
    return IdleRule.objects.filter(tenant=tenant_id, author=IdleRule.Author.TENANT).first()


def own_limits(own: IdleRule) -> Policy:
    """Return what a team's rule limits; that it exempts means only that it loosens nothing."""
    return replace(own.policy, exempt=False, name="")


def policy_sentence(policy: Policy) -> str:
    """Say the rule in words."""
    sentences = []
    if policy.exempt:
        sentences.append(gettext("Never released for being idle."))
    else:
        minutes = int(policy.idle.total_seconds() // 60)
        idle = ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
        sentences.append(gettext("Released when it is free and nobody has used it for %(time)s.") % {"time": idle})
    if policy.maximum_life is not None:
        hours = policy.maximum_life.total_seconds() / 3600
        sentences.append(gettext("On for at most %(hours)s h at a time.") % {"hours": f"{hours:.3g}"})
    if policy.hours is not None:
        sentences.append(
            gettext("Not released for being idle between %(begin)s and %(until)s (%(zone)s) on working days.")
            % {"begin": f"{policy.hours.begin:%H:%M}", "until": f"{policy.hours.until:%H:%M}", "zone": policy.hours.zone}
        )
    if policy.name:
        sentences.append(gettext("Rule: %(name)s.") % {"name": policy.name})
    return " ".join(sentences)


def _since(why: Why, use: Use) -> datetime | None:
    moments = {
        Why.USED: use.user_at,
        Why.CALLED: use.api_at,
        Why.STREAM: use.stream_at,
        Why.BUSY: use.busy_since,
        Why.BUSY_TOO_LONG: use.busy_since,
        Why.LOAD: use.busy_since,
        Why.UNKNOWN: use.unknown_since,
        Why.UNKNOWN_TOO_LONG: use.unknown_since,
    }
    return moments.get(why)
