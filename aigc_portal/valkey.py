"""The client by which this process tells others something at once: it waits for no more than two seconds for Valkey."""

from functools import lru_cache

import redis
from django.conf import settings

TIMEOUT_SECONDS = 2


@lru_cache(maxsize=1)
def valkey() -> redis.Redis:
    """The client of this process; it answers bytes. Raises redis.RedisError when it is used and Valkey is away."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS)
