"""What the waking page shows of one instance to one visitor."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from django.utils import timezone
from django.utils.translation import gettext as _

from engines.addresses import engine_origin
from engines.faces import Face, face_of
from engines.models import Instance, InstanceEvent
from engines.queries.limits import shortage_of
from engines.queries.phases import Step, queue_position, seconds_until_ready, steps_of
from engines.reasons import Explanation
from engines.states import COMING_UP, DesiredState, InstanceState
from gateway.arrivals import Arrival
from gateway.waiting import (
    Question,
    can_be_cancelled,
    is_coming,
    is_queueing,
    is_reachable,
    last_wish,
    question_for,
    question_sentence,
    waiting_sentence,
)
from tenants import access
from tenants.models import Membership

SHOWS_STEPS = COMING_UP | {InstanceState.FAILED}
# How often an open page asks by itself, in seconds; the live socket tells it sooner.
POLL_MOVING, POLL_RESTING = 3, 30


@dataclass(frozen=True)
class WaitingPage:
    """One look at the instance; `path` is where the visitor wants to go on its host, `asked` why it was not started by itself.

    What takes a query is read when it is shown: most looks of an open page find nothing new.
    """

    instance: Instance
    membership: Membership
    path: str
    arrival: Arrival
    asked: Question | None = None
    now: datetime = field(default_factory=timezone.now)

    @cached_property
    def wish(self) -> InstanceEvent | None:
        return last_wish(self.instance)

    @cached_property
    def queue_place(self) -> int | None:
        return queue_position(self.instance) if is_queueing(self.instance) else None

    @cached_property
    def steps(self) -> list[Step]:
        return steps_of(self.instance) if self.instance.state in SHOWS_STEPS and not self._is_stale else []

    @cached_property
    def start_seconds(self) -> float | None:
        """About how long a start takes once a GPU is free, if there is none to watch."""
        return None if self.coming else seconds_until_ready(self.instance, now=self.now)

    @property
    def headline(self) -> str:
        return _("%(name)s is ready.") % {"name": self.instance.name} if self.reachable else waiting_sentence(self.instance)

    @property
    def title(self) -> str:
        """The title of the tab, in which somebody who works in another one sees how far it is."""
        if self.reachable:
            return _("Ready: %(name)s") % {"name": self.instance.name}
        if self.queue_place:
            return _("Place %(place)d · %(name)s") % {"place": self.queue_place, "name": self.instance.name}
        return self.headline

    @property
    def face(self) -> Face:
        return face_of(self.instance)

    @property
    def icon(self) -> str:
        """The tab's icon, below static/."""
        return f"icons/state-{'good' if self.reachable else self.face.kind}.svg"

    @property
    def explanation(self) -> Explanation | None:
        """Why it is in its state; nothing while a wish to start is not acted on, for the reason is still the last run's."""
        return None if self.reachable or self._is_stale else self.instance.explanation

    @property
    def reachable(self) -> bool:
        return is_reachable(self.instance)

    @property
    def address(self) -> str:
        """What was asked for, on the engine's host."""
        return engine_origin(self.instance.slug) + self.path

    @property
    def coming(self) -> bool:
        return is_coming(self.instance)

    @property
    def can_start(self) -> bool:
        return not self.coming and self.instance.desired_state != DesiredState.DELETED

    @property
    def question(self) -> Question | None:
        """Why the page waits for a click."""
        if not self.can_start:
            return None
        return self.asked or question_for(self.instance, self.wish, self.arrival, now=self.now)

    @property
    def question_sentence(self) -> str:
        question = self.question
        return question_sentence(question, self.wish, user_id=self.membership.user_id) if question else ""

    @property
    def starts_by_itself(self) -> bool:
        return self.can_start and self.question is None and not self.shortage

    @cached_property
    def shortage(self) -> str:
        """The limit that stands in the way of a start, and where to ask for more; empty if none does."""
        return shortage_of(self.instance, reader=self.membership.user) if self.can_start else ""

    @property
    def can_cancel(self) -> bool:
        """As operations.instances.cancel_wake decides."""
        own = self.wish is not None and self.wish.actor_id == self.membership.user_id
        may = own or access.may_operate(self.membership, owner_id=self.instance.owner_id)
        return may and can_be_cancelled(self.instance)

    @property
    def poll_seconds(self) -> int:
        resting = self.instance.state in {InstanceState.STOPPED, InstanceState.FAILED} and not self.coming
        return POLL_RESTING if resting else POLL_MOVING

    @property
    def version(self) -> str:
        """Changes with everything that the page has to show anew; times count on in the browser."""
        seen = self.instance
        parts = (seen.generation, seen.state, seen.reason, seen.settled_generation, seen.name, self.queue_place, self.reachable)
        return ".".join(map(str, parts))

    @property
    def _is_stale(self) -> bool:
        return self.coming and self.instance.state not in COMING_UP
