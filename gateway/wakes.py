"""Starting an engine because somebody visits it: by a click, or by the waking page itself, and how often. Valkey counts:

`<prefix>:gw:wake:i:<slug>`   an instance was started by itself less than half a minute ago
`<prefix>:gw:wake:u:<id>`     how many engines a person has started so within the hour
"""

import logging

import redis
from django.conf import settings
from django.utils import timezone
from django.utils.translation import ngettext

from engines.models import Instance
from engines.operations.instances import resume_instance
from gateway.arrivals import Arrival
from gateway.handoff import valkey
from gateway.waiting import Question, is_coming, last_wish, question_for
from tenants.errors import PortalError
from tenants.models import Membership

log = logging.getLogger(__name__)

QUIET_SECONDS = 30
HOUR_SECONDS = 3600
PER_HOUR = 10


class TooOften(PortalError):
    """The person has started as many engines in this way as one may within an hour."""


def wake_by_click(instance: Instance, by: Membership) -> None:
    """Start or retry it because the visitor asked. Raises TooOften and what operations.instances.resume_instance does.

    Without Valkey nothing is counted, and a click is let through.
    """
    if not is_coming(instance):
        try:
            _count(by.user_id)
        except redis.RedisError as error:
            log.warning("a start of %s is not counted: %s", instance.slug, error)
    resume_instance(instance=instance, by=by)


def wake_by_itself(instance: Instance, by: Membership) -> Question | None:
    """Start it although nobody clicked, or return what the visitor has to be asked first. Raises as wake_by_click does."""
    if is_coming(instance):
        return None
    question = question_for(instance, last_wish(instance), Arrival.BY_HAND, now=timezone.now())
    if question is not None:
        return question
    try:
        if not valkey().set(_of_instance(instance.slug), 1, ex=QUIET_SECONDS, nx=True):
            return Question.TOO_SOON
        _count(by.user_id)
    except redis.RedisError as error:
        log.warning("%s is not started by itself: %s", instance.slug, error)
        return Question.TOO_SOON
    resume_instance(instance=instance, by=by)
    return None


def _count(user_id: int) -> None:
    name = _of_person(user_id)
    with valkey().pipeline() as pipe:
        pipe.set(name, 0, ex=HOUR_SECONDS, nx=True)
        pipe.incr(name)
        pipe.ttl(name)
        _new, count, left = pipe.execute()
    if count > PER_HOUR:
        minutes = max(1, round(left / 60))
        sentence = ngettext(
            "You have started %(limit)d paused engines within an hour, which is the limit. Try again in %(minutes)d minute.",
            "You have started %(limit)d paused engines within an hour, which is the limit. Try again in %(minutes)d minutes.",
            minutes,
        )
        raise TooOften(sentence % {"limit": PER_HOUR, "minutes": minutes})


def _of_instance(slug: str) -> str:
    return f"{settings.REDIS_PREFIX}:gw:wake:i:{slug}"


def _of_person(user_id: int) -> str:
    return f"{settings.REDIS_PREFIX}:gw:wake:u:{user_id}"
