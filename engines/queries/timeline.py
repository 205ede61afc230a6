"""What happened to an instance, newest first."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise

from engines.faces import word_of
from engines.models import Instance, InstanceEvent

NEWEST = 200


@dataclass(frozen=True)
class Entry:
    """One line of the timeline; `state` is set for transitions, `actor` for wishes of people."""

    at: datetime
    sentence: Promise
    actor: str
    state: Promise | None
    failure: bool
    evidence: str


def timeline_of(instance: Instance) -> list[Entry]:
    """Return the newest events; one query."""
    events = InstanceEvent.objects.filter(instance=instance).select_related("actor").order_by("-pk")[:NEWEST]
    return [
        Entry(
            at=event.at,
            sentence=event.explanation.sentence,
            actor=event.actor.username if event.actor else "",
            state=word_of(event.new_state) if event.new_state else None,
            failure=event.explanation.failure,
            evidence=event.evidence,
        )
        for event in events
    ]
