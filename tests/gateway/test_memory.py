"""What gwauth asks of database and Valkey, counted inside one process."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from engines import live
from engines.models import Instance
from gateway import handoff
from gateway.gate import Gate
from gateway.listening import listen_for_changes
from gateway.memory import KEEP_SECONDS, Memory
from gateway.standing import Verdict, Visitor, look_up_in_thread
from gateway.tokens import Keyring
from tests.gateway.driving import NAVIGATION, SCRIPT

LOOK_UP_QUERIES = 4  # session, person, instance with tenant, membership
DEADLINE_SECONDS = 10


class Counted:
    """The real look-up, with every query that it makes in its thread."""

    def __init__(self) -> None:
        self.queries: list[int] = []

    def __call__(self, slug: str, visitor: Visitor):
        with CaptureQueriesContext(connection) as captured:
            standing = look_up_in_thread(slug, visitor)
            self.queries.append(len(captured))
        return standing


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


@pytest.fixture
def visitor(gateway, instance, alice, signed_in, settings) -> Visitor:
    token = Keyring(settings.GATEWAY_KEYS).read(signed_in.partition("=")[2], slug=instance.slug, now=0)
    return Visitor(alice.pk, token.session)


@pytest.fixture
def ask(gateway, instance, signed_in, settings) -> Callable:
    """Ask a gate of this process what it thinks of alice's request."""

    async def ask(gate: Gate, headers: dict[str, str] = SCRIPT):
        sent = headers | {
            "Host": gateway.host(instance),
            "Cookie": signed_in,
            "X-Aigc-Gw": settings.GATEWAY_SECRET,
            "X-Forwarded-Method": "GET",
            "X-Forwarded-Uri": "/",
        }
        raw = [(name.lower().encode(), value.encode()) for name, value in sent.items()]
        scope = {"type": "http", "method": "GET", "path": "/_gw/auth", "query_string": b"", "headers": raw}
        return await gate.answer(scope)

    return ask


async def test_the_common_request_asks_neither_database_nor_valkey(ask, executor):
    counted, clock = Counted(), Clock()
    gate = Gate(Memory(counted, executor, clock), executor)
    handoff.session_key_of.cache_clear()
    answers = [await ask(gate) for _ in range(100)]
    assert [answer.status for answer in answers] == [200] * 100
    assert counted.queries == [LOOK_UP_QUERIES]
    clock.now = KEEP_SECONDS
    assert (await ask(gate)).status == 200
    assert counted.queries == [LOOK_UP_QUERIES] * 2
    assert handoff.session_key_of.cache_info().misses == 1  # each miss is a question to Valkey


async def test_simultaneous_requests_share_one_look_up_in_thread(ask, executor):
    counted = Counted()
    gate = Gate(Memory(counted, executor, Clock()), executor)
    answers = await asyncio.gather(*(ask(gate) for _ in range(50)))
    assert [answer.status for answer in answers] == [200] * 50
    assert counted.queries == [LOOK_UP_QUERIES]


@pytest.mark.parametrize("announce", [live.announce, lambda _instance: handoff.valkey().publish(live.gateway_channel(), "*")])
async def test_an_announced_change_counts_at_once(instance, visitor, executor, announce):
    """The clock stands still: nothing is forgotten by its age."""
    memory = Memory(look_up_in_thread, executor, Clock())
    listener = asyncio.create_task(listen_for_changes(memory))
    assert (await memory.standing(instance.slug, visitor)).verdict is Verdict.RUNNING
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(executor, lambda: rest(instance))
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (await memory.standing(instance.slug, visitor)).verdict is not Verdict.RESTING:
            # Repeated because the subscription may have begun after the first.
            await loop.run_in_executor(executor, announce, instance)
            await asyncio.sleep(0.01)
    listener.cancel()


def rest(instance: Instance) -> None:
    Instance.objects.filter(pk=instance.pk).update(state="stopped")
    connection.close()


async def test_a_look_up_under_way_is_not_kept_once_the_instance_has_changed(instance, visitor, executor):
    memory = Memory(look_up_in_thread, executor, Clock())
    under_way = asyncio.create_task(memory.standing(instance.slug, visitor))
    await asyncio.sleep(0)
    memory.forget(instance.slug)
    assert (await under_way).verdict is Verdict.RUNNING
    assert (memory.entries, memory.size) == ({}, 0)


async def test_one_visitor_hanging_up_does_not_cut_off_the_others(instance, visitor, executor):
    memory = Memory(look_up_in_thread, executor, Clock())
    first, second = (asyncio.create_task(memory.standing(instance.slug, visitor)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).verdict is Verdict.RUNNING


def without_database(slug: str, visitor: Visitor):
    """The real look-up while every query fails as it does when PostgreSQL is away."""

    def fail(*_arguments: object) -> None:
        raise OperationalError("the connection is closed")

    with connection.execute_wrapper(fail):
        return look_up_in_thread(slug, visitor)


async def test_without_the_database_nobody_is_let_in_once_memory_ends(ask, executor):
    clock = Clock()
    gate = Gate(Memory(look_up_in_thread, executor, clock), executor)
    assert (await ask(gate)).status == 200
    gate.memory.look_up = without_database
    assert (await ask(gate)).status == 200
    clock.now = KEEP_SECONDS
    refused = await ask(gate)
    assert (refused.status, dict(refused.headers)[b"retry-after"]) == (503, b"3")
    assert (await ask(gate, NAVIGATION)).status == 503
    gate.memory.look_up = look_up_in_thread
    assert (await ask(gate)).status == 200


async def test_without_valkey_known_visitors_stay_and_new_ones_wait(ask, visitor, executor, settings):
    clock = Clock()
    gate = Gate(Memory(look_up_in_thread, executor, clock), executor)
    assert (await ask(gate)).status == 200
    url, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:1/0"
    handoff.valkey.cache_clear()
    try:
        clock.now = KEEP_SECONDS
        assert (await ask(gate)).status == 200
        handoff.session_key_of.cache_clear()  # as in a process that has never seen this visitor
        clock.now *= 2
        assert (await ask(gate)).status == 503
    finally:
        settings.REDIS_URL = url
        handoff.valkey.cache_clear()
