"""How many requests a user may send, and how many unknown tokens an address: counted per minute in Valkey.

All tokens of a user share one allowance, so that making more of them gains nothing. Without Valkey nothing is counted, rather
than everything refused.
"""

import logging
import time
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from aigc_portal.api.problems import Problem
from aigc_portal.valkey import valkey

log = logging.getLogger(__name__)
WINDOW_SECONDS = 60
UNKNOWN_TOKENS = 20
"""Unknown tokens from one address (or /64 of IPv6) within a minute."""
_TAKEN = "_api_allowance"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a minute's requests."""

    limit: int
    remaining: int
    reset_seconds: int


def take(request: HttpRequest, *, user_id: int) -> None:
    """Count one request of the user; Problem if there were too many in this minute."""
    limit = settings.API_REQUESTS_PER_MINUTE
    count, reset = _count(f"u:{user_id}")
    allowance = Allowance(limit, max(0, limit - count), reset)
    setattr(request, _TAKEN, allowance)
    if count > limit:
        raise _too_many(_("More than %(limit)d requests within a minute.") % {"limit": limit}, reset)


def require_honest(address: str) -> None:
    """Refuse an address that tried too many unknown tokens."""
    key, reset = _key(f"a:{_network_of(address)}")
    try:
        tried = int(valkey().get(key) or 0)
    except (redis.RedisError, OSError):
        return
    if tried >= UNKNOWN_TOKENS:
        raise _too_many(_("Too many unknown access tokens came from your address."), reset)


def count_unknown(address: str) -> None:
    """Note that an unknown token came from the address."""
    _count(f"a:{_network_of(address)}")


def add_headers(request: HttpRequest, response: HttpResponseBase) -> None:
    """Say what is left, as draft-ietf-httpapi-ratelimit-headers has it."""
    allowance: Allowance | None = getattr(request, _TAKEN, None)
    if allowance is not None:
        response["RateLimit-Policy"] = f'"user";q={allowance.limit};w={WINDOW_SECONDS}'
        response["RateLimit"] = f'"user";r={allowance.remaining};t={allowance.reset_seconds}'


def _key(name: str) -> tuple[str, int]:
    now = int(time.time())
    window, passed = divmod(now, WINDOW_SECONDS)
    return f"{settings.REDIS_PREFIX}:api:rate:{name}:{window}", WINDOW_SECONDS - passed


def _count(name: str) -> tuple[int, int]:
    """Count one more; return how many there were in this minute, and the seconds until the next."""
    key, reset = _key(name)
    try:
        with valkey().pipeline(transaction=False) as pipe:
            pipe.incr(key)
            pipe.expire(key, 2 * WINDOW_SECONDS)
            return int(pipe.execute()[0]), reset
    except (redis.RedisError, OSError) as error:
        log.warning("a request to the API was not counted: %r", error)
        return 0, reset


def _too_many(detail: str, seconds: int) -> Problem:
    return Problem("rate-limited", detail, headers={"Retry-After": str(seconds)})


def _network_of(address: str) -> str:
    """Whoever has one address of IPv6 has its whole /64."""
    try:
        known = ip_address(address)
    except ValueError:
        return ""
    return address if known.version == 4 else str(ip_network((known, 64), strict=False))
