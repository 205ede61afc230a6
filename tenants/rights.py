"""Tell at once that somebody's rights changed. Losing the message costs two seconds: nothing is remembered for longer."""

import logging

import redis
from django.conf import settings
from django.db import transaction

from aigc_portal.valkey import valkey

log = logging.getLogger(__name__)
EVERYTHING = "*"


def gateway_channel() -> str:
    """The Valkey channel on which the gateway hears what to forget: an instance's slug, or EVERYTHING."""
    return f"{settings.REDIS_PREFIX}:instances"


def announce_rights_on_commit() -> None:
    """Announce once the present transaction is durable."""
    transaction.on_commit(announce_rights)


def announce_rights() -> None:
    """Have everybody who remembers rights ask again: who signed out, left, was revoked or suspended is refused from now on.

    Whose rights they were is not said: to ask again for all visitors is what happens every two seconds anyway.
    """
    try:
        valkey().publish(gateway_channel(), EVERYTHING)
    except (redis.RedisError, OSError) as error:
        log.warning("nobody was told that rights changed: %r", error)
