"""When each engine was last used, as the gateway saw it: written by gwauth beside its requests, read by whoever decides on rest.

Valkey holds the hash `<prefix>:act:<slug>` with epoch seconds `user_at`, `api_at`, `work_at` and `any_at`, for a month after the
last of them; that of `*` tells when open streams of work were last counted. What is lost with Valkey is no proof of rest: an
engine without any moment is one of which nothing is known.
"""

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import redis
import redis.asyncio
from django.conf import settings

from engines.activity.classes import RequestClass

log = logging.getLogger(__name__)

WRITE_SECONDS = 10.0
"""At most one write in this time for each engine and process."""
TICK_SECONDS = 1.0
"""After so long at most the first request in a while is written."""
KEEP_SECONDS = 30 * 86_400
OPEN_FOR = timedelta(seconds=45)
"""Open streams of work are seen every ten seconds; this allows for two that were missed."""
ANSWER_SECONDS = 2.0
FIELDS = ("user_at", "api_at", "work_at", "any_at")
_FIELD_OF = {RequestClass.USER: "user_at", RequestClass.API: "api_at", RequestClass.WORK: "work_at"}

# Several processes write, each what it saw: the latest moment stays, whoever comes first.
_KEEP_LATEST = """
for number, key in ipairs(KEYS) do
    for name, moment in pairs(cjson.decode(ARGV[number + 1])) do
        if moment > (tonumber(redis.call('HGET', key, name)) or 0) then
            redis.call('HSET', key, name, string.format('%.3f', moment))
        end
    end
    redis.call('EXPIRE', key, ARGV[1])
end
"""


class ActivityUnavailable(Exception):
    """Valkey cannot be asked: nothing is known, which is not the same as unused."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The latest moments, aware and in UTC; None if there was none in a month."""

    user_at: datetime | None = None  # a person opened a page or did something on one
    api_at: datetime | None = None  # a program with a token asked for something
    work_at: datetime | None = None  # a request that is open exactly as long as the engine works began, or was open
    any_at: datetime | None = None  # any request at all, of pages that ask by themselves too
    streams_at: datetime | None = None  # when open requests of that kind were last counted, for all engines

    def counts_streams(self, now: datetime) -> bool:
        """Tell whether open streams of work are counted at the moment: only then does the lack of one say anything."""
        return self.streams_at is not None and now - self.streams_at < OPEN_FOR

    def has_open_work(self, now: datetime) -> bool:
        """Tell whether the engine works for an open page or program."""
        return self.work_at is not None and now - self.work_at < OPEN_FOR


_EVERY = "*"


class Recorder:
    """What one process saw and has not written yet. `note` costs a look-up in a dict; `run` writes beside it."""

    def __init__(self) -> None:
        self.unwritten: dict[str, dict[str, float]] = {}
        self.written_at: dict[str, float] = {}

    def note(self, slug: str, request_class: RequestClass, now: float) -> None:
        """Remember a request of this moment, in epoch seconds."""
        moments = self.unwritten.get(slug)
        if moments is None:
            moments = self.unwritten[slug] = {}
        moments["any_at"] = now
        field = _FIELD_OF.get(request_class)
        if field is not None:
            moments[field] = now

    def note_open_work(self, slugs: Iterable[str], now: float) -> None:
        """Remember that open streams of work were counted, and which engines have some."""
        self.unwritten.setdefault(_EVERY, {})["any_at"] = now
        for slug in slugs:
            self.note(slug, RequestClass.WORK, now)

    async def run(self) -> None:
        """Write what is due until cancelled, and then what is left. While Valkey is away everything is kept."""
        seconds = ANSWER_SECONDS
        async with redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_timeout=seconds, socket_connect_timeout=seconds
        ) as client:
            write = client.register_script(_KEEP_LATEST)
            loop = asyncio.get_running_loop()
            try:
                while True:
                    await asyncio.sleep(TICK_SECONDS)
                    await self._write(write, self._due(loop.time()), loop.time())
            finally:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._write(write, list(self.unwritten), loop.time())

    def _due(self, now: float) -> list[str]:
        self.written_at = {slug: at for slug, at in self.written_at.items() if now - at < WRITE_SECONDS}
        return [slug for slug in self.unwritten if slug not in self.written_at]

    async def _write(self, write: Any, slugs: list[str], now: float) -> None:
        """One call for all; what could not be written is tried again, unless something newer came meanwhile."""
        taken = {slug: self.unwritten.pop(slug) for slug in slugs}
        if not taken:
            return
        try:
            await write(keys=[_key(slug) for slug in taken], args=[KEEP_SECONDS, *map(json.dumps, taken.values())])
        except (redis.RedisError, OSError) as error:
            log.warning("the use of %d engines is not written yet: %s", len(taken), error)
            for slug, moments in taken.items():
                self.unwritten[slug] = moments | self.unwritten.get(slug, {})
        else:
            self.written_at |= dict.fromkeys(taken, now)


def read(slugs: Iterable[str]) -> Mapping[str, Recorded]:
    """What is recorded of each of these instances, of all of them. Raises ActivityUnavailable."""
    asked = list(slugs)
    try:
        with _valkey().pipeline(transaction=False) as pipeline:
            for slug in (_EVERY, *asked):
                pipeline.hmget(_key(slug), FIELDS)
            streams, *rows = pipeline.execute()
    except (redis.RedisError, OSError) as error:
        raise ActivityUnavailable(str(error)) from error
    streams_at = _moment(streams[FIELDS.index("any_at")])
    return {slug: _recorded(row, streams_at) for slug, row in zip(asked, rows, strict=True)}


def _recorded(row: list[bytes | None], streams_at: datetime | None) -> Recorded:
    user_at, api_at, work_at, any_at = map(_moment, row)
    return Recorded(user_at, api_at, work_at, any_at, streams_at)


def _moment(seconds: bytes | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(float(seconds), UTC)


def _key(slug: str) -> str:
    return f"{settings.REDIS_PREFIX}:act:{slug}"


@lru_cache(maxsize=1)
def _valkey() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS)
