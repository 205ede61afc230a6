"""How an instance looks to people: the word, icon and colour of its situation, and what may be done about it. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from engines.models import Instance
from engines.reasons import Reason
from engines.states import COMING_UP, DesiredState, InstanceState

S = InstanceState


class Group(StrEnum):
    """What a person filters the list by."""

    RUNNING = "running"
    COMING = "coming"
    PAUSED = "paused"
    FAILED = "failed"


@dataclass(frozen=True)
class Face:
    """Icon + word + colour (`kind`: good, busy, warn, bad, quiet) of a situation; a spinning icon means work under way."""

    word: Promise
    icon: str
    kind: str
    group: Group
    spin: bool = False


_PAUSING = Face(_("Pausing"), "busy", "busy", Group.PAUSED, spin=True)
_DELETING = Face(_("Deleting"), "busy", "busy", Group.PAUSED, spin=True)
_RESTARTING = Face(_("Restarting"), "busy", "busy", Group.COMING, spin=True)
_RESUMING = Face(_("Resuming"), "busy", "busy", Group.COMING, spin=True)
_REQUESTED = Face(_("Requested"), "busy", "busy", Group.COMING, spin=True)
_RETRYING = Face(_("Retrying"), "busy", "busy", Group.COMING, spin=True)

_SEEN: dict[str, Face] = {
    S.QUEUED: Face(_("Waiting for a GPU"), "queue", "warn", Group.COMING),
    S.PROVISIONING: Face(_("Provisioning"), "busy", "busy", Group.COMING, spin=True),
    S.STARTING: Face(_("Starting"), "busy", "busy", Group.COMING, spin=True),
    S.RUNNING: Face(_("Running"), "running", "good", Group.RUNNING),
    S.STOPPING: _PAUSING,
    S.STOPPED: Face(_("Paused"), "pause", "quiet", Group.PAUSED),
    S.FAILED: Face(_("Failed"), "alert", "bad", Group.FAILED),
    S.DELETING: _DELETING,
    S.DELETED: Face(_("Deleted"), "trash", "quiet", Group.PAUSED),
}

_STOPPING_WORD = _("Stopping")


def face_of(instance: Instance) -> Face:
    """Return the face of what is happening: a wish that is not fulfilled yet shows before the state it leads to."""
    state, desired = instance.state, instance.desired_state
    if state in {S.DELETED, S.DELETING}:
        return _SEEN[state]
    if desired == DesiredState.DELETED:
        return _DELETING
    if desired == DesiredState.STOPPED:
        return _SEEN[state] if state in {S.STOPPED, S.FAILED} else _PAUSING
    return _wanted_face(instance)


def _wanted_face(instance: Instance) -> Face:
    """Return the face of an instance that is meant to run."""
    if instance.state == S.FAILED and instance.retry_due:
        return _RETRYING
    if instance.state == S.STOPPED:
        return _RESUMING
    if instance.state == S.QUEUED and instance.reason != Reason.NO_CAPACITY:
        return _REQUESTED  # nobody has looked for a GPU yet, so none is missing
    if instance.state == S.STOPPING or (instance.state == S.RUNNING and instance.restart_due):
        return _RESTARTING
    return _SEEN[instance.state]


class Offer(StrEnum):
    """What a person may be offered to do."""

    OPEN = "open"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    CANCEL = "cancel"
    RESTART = "restart"
    CHANGE_CLASS = "change_class"
    RENAME = "rename"
    DELETE = "delete"


FOR_GUESTS = frozenset({Offer.OPEN, Offer.RESUME, Offer.RETRY})
"""What makes sense for somebody with whom it is shared: to enter, and to wake it for that."""


def offers_of(instance: Instance) -> frozenset[Offer]:
    """Return what makes sense now; operations decide for themselves whether it is allowed."""
    state, desired = instance.state, instance.desired_state
    if desired == DesiredState.DELETED or state in {S.DELETING, S.DELETED}:
        return frozenset()
    always = {Offer.RENAME, Offer.DELETE}
    if state in {S.STOPPED, S.FAILED, S.QUEUED}:
        always.add(Offer.CHANGE_CLASS)
    if desired == DesiredState.STOPPED:
        return frozenset(always | {Offer.RESUME})
    return frozenset(always | _while_wanted(instance))


def _while_wanted(instance: Instance) -> set[Offer]:
    """Return what can be done with an instance that is meant to run."""
    if instance.state == S.RUNNING and not instance.restart_due:
        return {Offer.OPEN, Offer.PAUSE, Offer.RESTART}
    if instance.state in COMING_UP:
        return {Offer.CANCEL}
    if instance.state == S.FAILED:
        return set() if instance.retry_due else {Offer.RETRY}
    return {Offer.PAUSE}


def word_of(state: str) -> Promise:
    """Return the word for a state by itself, as in a timeline."""
    return _STOPPING_WORD if state == S.STOPPING else _SEEN[state].word
