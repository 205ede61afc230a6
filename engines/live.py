"""Tell whoever looks that an instance changed: an id, never data. Losing a message costs nothing but time."""

import asyncio
import logging
import os
import threading
from functools import lru_cache

import redis
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction

from aigc_portal.valkey import valkey
from engines.models import Instance
from tenants.rights import gateway_channel

log = logging.getLogger(__name__)
SEND_SECONDS = 2


def tenant_group(tenant_id: int) -> str:
    """The Channels group of everybody who may see a tenant's instances."""
    return f"tenant.{tenant_id}"


def announce_on_commit(instance: Instance) -> None:
    """Announce the instance once the present transaction is durable."""
    transaction.on_commit(lambda: announce(instance))


def announce(instance: Instance) -> None:
    """Tell open pages (`instance.changed` to the tenant's group) and the gateway (the slug) at once."""
    try:
        with valkey().pipeline(transaction=False) as pipe:
            pipe.incr(_count(instance.tenant_id))
            pipe.publish(gateway_channel(), instance.slug)
            pipe.execute()
        message = {"type": "instance.changed", "instance_id": str(instance.pk)}
        sending = get_channel_layer().group_send(tenant_group(instance.tenant_id), message)
        asyncio.run_coroutine_threadsafe(sending, _loop_of(os.getpid())).result(SEND_SECONDS)
    except (redis.RedisError, OSError) as error:
        log.warning("nobody was told that %s changed: %r", instance.slug, error)


def announced(tenant_id: int) -> str:
    """How many changes of the tenant's instances were announced so far; empty if that cannot be known now.

    A page that is rendered after this was read, and whose socket finds another number, has missed something in between.
    """
    try:
        return str(int(valkey().get(_count(tenant_id)) or 0))
    except (redis.RedisError, OSError):
        return ""


def _count(tenant_id: int) -> str:
    return f"{settings.REDIS_PREFIX}:live:{tenant_id}"


@lru_cache(maxsize=1)
def _loop_of(_process: int) -> asyncio.AbstractEventLoop:
    """An event loop that lasts as long as this process, and with it the layer's connection: a loop for each message costs more
    than the message. A forked process asks by an id of its own, for threads do not survive a fork.
    """
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="live", daemon=True).start()
    return loop
