"""Hear at once which instances, or whose rights, have changed."""

import asyncio
import logging

import redis.asyncio
from django.conf import settings

from gateway.memory import Memory
from tenants.rights import EVERYTHING, gateway_channel

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.5


async def listen_for_changes(memory: Memory) -> None:
    """Forget what changed, until cancelled. While Valkey is away, what is remembered still ends by its age."""
    while True:
        try:
            await _listen(memory)
        except (redis.RedisError, OSError) as error:
            log.warning("changes of instances are not heard: %s", error)
        await asyncio.sleep(PAUSE_SECONDS)


async def _listen(memory: Memory) -> None:
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL, decode_responses=True)
    async with client, client.pubsub() as subscription:
        await subscription.subscribe(gateway_channel())
        async for message in subscription.listen():
            if message["type"] == "message" and message["data"] != EVERYTHING:
                memory.forget(message["data"])
            else:  # subscribed, perhaps again: messages before this moment were not heard
                memory.forget_all()
