"""What to tell somebody whose engine does not run, and whether it may be started for them without a question."""

import math
from datetime import datetime, timedelta
from enum import StrEnum

from django.utils.translation import gettext as _

from engines.models import Instance, InstanceEvent
from engines.queries.phases import seconds_until_ready
from engines.reasons import Reason
from engines.states import COMING_UP, DesiredState, InstanceState
from gateway.arrivals import Arrival

# How soon a program may ask again, in seconds: while it starts, while it waits for others, while nobody wants it.
RETRY_LIMITS = (2, 60)
RETRY_UNKNOWN, RETRY_QUEUEING, RETRY_RESTING = 10, 15, 60
# A tab that is opened again so soon after somebody pressed Pause or Cancel does not undo it.
STOP_HOLDS = timedelta(minutes=5)
_STOPS = frozenset({Reason.PAUSED, Reason.CANCELLED})
_BESIDES = frozenset({Reason.RENAMED, Reason.CLASS_CHANGED})


class Question(StrEnum):
    """Why a visit does not start the engine before somebody has clicked."""

    FAILED = "failed"  # the last run did: what fails is never tried in circles
    STOPPED = "stopped"  # by a person, a moment ago
    SENT = "sent"  # nothing shows that the visitor came on purpose
    TOO_SOON = "too soon"  # it was started by itself a moment ago, or nobody can say whether it was


def question_for(instance: Instance, wish: InstanceEvent | None, arrival: Arrival, *, now: datetime) -> Question | None:
    """Return why the visitor must be asked before a resting engine is started, or None. `wish`: see last_wish."""
    if instance.state == InstanceState.FAILED:
        return Question.FAILED
    if wish is not None and wish.reason in _STOPS and wish.actor_id is not None and now - wish.at < STOP_HOLDS:
        return Question.STOPPED
    return Question.SENT if arrival is Arrival.SENT else None


def question_sentence(question: Question, wish: InstanceEvent | None, *, user_id: int) -> str:
    """Say why the page asks; nothing of a failure, which speaks for itself."""
    if question is Question.STOPPED and wish is not None and wish.actor_id != user_id:
        return _("%(person)s paused it a moment ago, so it is not started by itself.") % {"person": wish.actor}
    return {
        Question.FAILED: "",
        Question.STOPPED: _("You paused it a moment ago, so it is not started by itself."),
        Question.SENT: _("Another page led here without a click of yours, so nothing is started before you say so."),
        Question.TOO_SOON: _("This time it is not started by itself. Start it if you want it."),
    }[question]


def is_reachable(instance: Instance) -> bool:
    """Whether visitors are let through to it: not once somebody has asked it to rest, though it still runs."""
    wanted = instance.desired_state == DesiredState.RUNNING
    return wanted and instance.state == InstanceState.RUNNING and bool(instance.upstream)


def is_coming(instance: Instance) -> bool:
    """Whether it will run without anybody doing anything."""
    failed = instance.state == InstanceState.FAILED and not instance.retry_due
    return instance.desired_state == DesiredState.RUNNING and not failed


def is_queueing(instance: Instance) -> bool:
    """Whether it really waits for others, and is not just about to be admitted."""
    return instance.state == InstanceState.QUEUED and instance.reason == Reason.NO_CAPACITY


def can_be_cancelled(instance: Instance) -> bool:
    """Whether its way up can still be ended before it runs."""
    return instance.desired_state == DesiredState.RUNNING and instance.state in COMING_UP


def retry_seconds(instance: Instance, *, now: datetime) -> int:
    """After how long a program may ask again: as soon as starts like this one usually take, if it is starting."""
    if not is_coming(instance):
        return RETRY_RESTING
    if is_queueing(instance):
        return RETRY_QUEUEING
    expected = seconds_until_ready(instance, now=now)
    if expected is None:
        return RETRY_UNKNOWN
    shortest, longest = RETRY_LIMITS
    return max(shortest, min(longest, math.ceil(expected)))


def waiting_sentence(instance: Instance) -> str:
    """Say in one sentence what the instance is doing: a page's headline."""
    if is_coming(instance) and is_queueing(instance):
        sentence = _("%(name)s waits for a free GPU.")
    elif is_coming(instance):
        sentence = _("%(name)s is starting.")
    else:
        sentence = {
            InstanceState.STOPPED: _("%(name)s is paused."),
            InstanceState.FAILED: _("%(name)s could not run."),
            InstanceState.DELETING: _("%(name)s is being deleted."),
        }.get(InstanceState(instance.state), _("%(name)s is stopping."))
    return sentence % {"name": instance.name}


def resting_sentence(instance: Instance) -> str:
    """Say to a program what the instance is doing, and why it rests if nobody asked for that."""
    unasked = not is_coming(instance) and (instance.released_because or instance.state == InstanceState.FAILED)
    why = instance.explanation if unasked else None
    return " ".join([waiting_sentence(instance), *([str(why.sentence)] if why else [])])


def last_wish(instance: Instance) -> InstanceEvent | None:
    """Who asked for it to run or to stop last: the first event of the newest wish that is about that."""
    wishes = instance.events.filter(kind=InstanceEvent.Kind.WISH).exclude(reason__in=_BESIDES)
    return wishes.select_related("actor").order_by("-generation", "pk").first()
