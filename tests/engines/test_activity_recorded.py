"""The record of use: what gwauth writes to Valkey beside its requests, and what is read of it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.conf import settings as django_settings

from engines.activity import recorded
from engines.activity.classes import RequestClass
from engines.activity.recorded import ActivityUnavailable, Recorded, Recorder, read
from tests.stack import free_port

NOW = 1_795_636_800.25
DEADLINE_SECONDS = 10


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOW + seconds, UTC)


@pytest.fixture
def valkey(settings) -> Iterator[redis.Redis]:
    """With a place of its own: a gateway of other tests may be telling of itself beside it."""
    settings.REDIS_PREFIX = f"{settings.REDIS_PREFIX}:alone"
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client
        client.delete(*client.keys(f"{settings.REDIS_PREFIX}:act:*"))


@pytest.fixture
def quick(monkeypatch) -> None:
    monkeypatch.setattr(recorded, "TICK_SECONDS", 0.01)


async def until(condition: Callable[[], bool]) -> None:
    """Let the recorder run until the condition holds."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - the condition is in Valkey
            await asyncio.sleep(0.01)


async def ended(task: asyncio.Task) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def written(*recorders: Recorder) -> None:
    """Let each write what it has, and end."""
    for recorder in recorders:
        task = asyncio.create_task(recorder.run())
        await asyncio.sleep(0.001)  # so that it has begun
        await ended(task)


async def test_each_class_has_its_moment(valkey):
    recorder = Recorder()
    for seconds, request_class in enumerate(RequestClass):
        recorder.note("bcdfghjkmn", request_class, NOW + seconds)
    await written(recorder)
    assert read(["bcdfghjkmn", "unknown"]) == {
        "bcdfghjkmn": Recorded(user_at=at(0), api_at=at(1), work_at=at(2), any_at=at(4)),
        "unknown": Recorded(),
    }
    assert recorder.unwritten == {}
    key = f"{django_settings.REDIS_PREFIX}:act:bcdfghjkmn"
    assert 29 * 86_400 < valkey.ttl(key) <= 30 * 86_400


@pytest.mark.parametrize("order", [1, -1])
async def test_the_latest_moment_of_several_processes_stays(valkey, order):
    early, late = Recorder(), Recorder()
    early.note("bcdfghjkmn", RequestClass.USER, NOW)
    late.note("bcdfghjkmn", RequestClass.API, NOW + 1)
    late.note("bcdfghjkmn", RequestClass.USER, NOW + 2)
    await written(*[early, late][::order])
    assert read(["bcdfghjkmn"])["bcdfghjkmn"] == Recorded(user_at=at(2), api_at=at(1), any_at=at(2))


async def test_the_first_request_in_a_while_is_written_at_once_and_the_next_ones_later(valkey, quick):
    recorder = Recorder()
    task = asyncio.create_task(recorder.run())
    recorder.note("bcdfghjkmn", RequestClass.USER, NOW)
    await until(lambda: read(["bcdfghjkmn"])["bcdfghjkmn"].user_at == at(0))
    recorder.note("bcdfghjkmn", RequestClass.USER, NOW + 5)
    recorder.note("npqrstvwxz", RequestClass.USER, NOW + 5)
    await until(lambda: read(["npqrstvwxz"])["npqrstvwxz"].user_at == at(5))
    assert read(["bcdfghjkmn"])["bcdfghjkmn"].user_at == at(0)  # written less than ten seconds ago
    recorder.written_at["bcdfghjkmn"] -= recorded.WRITE_SECONDS
    await until(lambda: read(["bcdfghjkmn"])["bcdfghjkmn"].user_at == at(5))
    await ended(task)


async def test_nothing_is_lost_while_valkey_is_away(valkey, quick, settings, caplog):
    port = free_port()
    settings.REDIS_URL, works = f"redis://127.0.0.1:{port}/0", settings.REDIS_URL
    recorder = Recorder()
    task = asyncio.create_task(recorder.run())
    recorder.note("bcdfghjkmn", RequestClass.USER, NOW)
    await until(lambda: "is not written yet" in caplog.text)
    recorder.note("bcdfghjkmn", RequestClass.WORK, NOW + 3)
    await until(lambda: {"user_at", "work_at"} <= recorder.unwritten.get("bcdfghjkmn", {}).keys())
    await ended(task)
    assert recorder.unwritten == {"bcdfghjkmn": {"user_at": NOW, "work_at": NOW + 3, "any_at": NOW + 3}}
    settings.REDIS_URL = works
    await written(recorder)
    assert read(["bcdfghjkmn"])["bcdfghjkmn"] == Recorded(user_at=at(0), work_at=at(3), any_at=at(3))


def test_not_known_is_not_the_same_as_unused(settings):
    recorded._valkey.cache_clear()
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    with pytest.raises(ActivityUnavailable):
        read(["bcdfghjkmn"])
    recorded._valkey.cache_clear()


async def test_open_work_is_told_with_the_moment_of_counting(valkey):
    recorder = Recorder()
    recorder.note_open_work(["bcdfghjkmn"], NOW)
    await written(recorder)
    heard = read(["bcdfghjkmn", "npqrstvwxz"])
    assert heard == {
        "bcdfghjkmn": Recorded(work_at=at(0), any_at=at(0), streams_at=at(0)),
        "npqrstvwxz": Recorded(streams_at=at(0)),
    }
    soon, later = at(0) + recorded.OPEN_FOR - timedelta(seconds=1), at(0) + recorded.OPEN_FOR
    assert [(row.has_open_work(soon), row.counts_streams(soon)) for row in heard.values()] == [(True, True), (False, True)]
    assert [(row.has_open_work(later), row.counts_streams(later)) for row in heard.values()] == [(False, False)] * 2
