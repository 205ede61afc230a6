"""What happened to an instance, newest first."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise

from engines.faces import word_of
from engines.models import Instance, InstanceEvent
from engines.reasons import Reason

NEWEST = 200


@dataclass(frozen=True)
class Entry:
    """One line of the timeline; `state` is set for transitions, `actor` for what people did, `detail` if it is for all."""

    at: datetime
    sentence: Promise
    actor: str
    state: Promise | None
    failure: bool
    evidence: str
    detail: str = ""


# Who was let in, whose it is, and until when it is kept on, is for everybody in the tenant to know.
_FOR_EVERYBODY = {Reason.KEPT, Reason.SHARED, Reason.SHARE_CHANGED, Reason.SHARE_ENDED, Reason.HANDED_OVER}


def timeline_of(instance: Instance) -> list[Entry]:
    """Return the newest events; one query."""
    events = InstanceEvent.objects.filter(instance=instance).select_related("actor").order_by("-pk")[:NEWEST]
    return [entry_of(event) for event in events]


def entry_of(event: InstanceEvent) -> Entry:
    """Put one event, read with its actor, into words."""
    return Entry(
        at=event.at,
        sentence=event.explanation.sentence,
        actor=event.actor.username if event.actor else "",
        state=word_of(event.new_state) if event.new_state else None,
        failure=event.explanation.failure,
        evidence="" if event.reason in _FOR_EVERYBODY else event.evidence,
        detail=event.evidence if event.reason in _FOR_EVERYBODY else "",
    )
