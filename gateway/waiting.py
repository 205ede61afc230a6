"""What to tell somebody whose engine does not run."""

from django.utils.translation import gettext as _

from engines.models import Instance, InstanceEvent
from engines.reasons import Reason
from engines.states import COMING_UP, DesiredState, InstanceState


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


def waiting_sentence(instance: Instance) -> str:
    """Say in one sentence what the instance is doing: a page's headline, a program's error message."""
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


def last_wish(instance: Instance) -> InstanceEvent | None:
    """Who asked for what last."""
    wishes = instance.events.filter(kind=InstanceEvent.Kind.WISH).select_related("actor")
    return wishes.order_by("-pk").first()
