"""What gwauth asks of database and Valkey for programs, and how a program wakes an engine, inside one process."""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from engines.models import Instance, InstanceEvent
from gateway import handoff
from gateway.answers import Answer
from gateway.api_tokens.guessing import GUESSES, PER_SECONDS, REMEMBERED, Guessing
from gateway.api_tokens.last_used import EVERY_SECONDS, LastUsed
from gateway.api_tokens.operations import revoke_api_token
from gateway.api_tokens.waking import EVERY_SECONDS as WAKE_EVERY_SECONDS
from gateway.gate import Gate
from gateway.memory import KEEP_SECONDS, Memory
from gateway.models import ApiToken
from gateway.standing import look_up_in_thread
from tests import factories
from tests.gateway.test_memory import Clock, Counted, without_database

LOOK_UP_QUERIES = 3  # token with maker, instance with tenant, membership
PAUSED = {"state": "stopped", "desired_state": "stopped", "upstream": ""}


class Threads(ThreadPoolExecutor):
    """Remembers what was handed in, so that a test can wait for what no request waits for."""

    def __init__(self) -> None:
        super().__init__(8)
        self.handed_in: list[Future] = []

    def submit(self, *args, **options) -> Future:
        self.handed_in.append(super().submit(*args, **options))
        return self.handed_in[-1]

    def settle(self) -> None:
        for each in self.handed_in:
            each.result(10)


@pytest.fixture
def executor(transactional_db: None) -> Iterator[Threads]:
    with Threads() as threads:
        yield threads


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def gate(executor: Threads, clock: Clock, counted: Counted) -> Gate:
    return Gate(Memory(counted, executor, clock), executor)


@pytest.fixture
def ask(gate: Gate, settings) -> Callable:
    async def ask(instance: Instance, secret: str, *, gate: Gate = gate, client: str = "192.0.2.1", cookie: str = "") -> Answer:
        sent = {
            "host": f"{instance.slug}.{settings.ENGINES_DOMAIN}",
            "authorization": f"Bearer {secret}",
            "cookie": cookie,
            "x-aigc-gw": settings.GATEWAY_SECRET,
            "x-aigc-client": client,
            "x-forwarded-method": "POST",
            "x-forwarded-uri": "/prompt",
        }
        raw = [(name.encode(), value.encode()) for name, value in sent.items()]
        return await gate.answer({"type": "http", "method": "GET", "path": "/_gw/auth", "query_string": b"", "headers": raw})

    return ask


def said(answer: Answer) -> tuple:
    headers = dict(answer.headers)
    body = json.loads(answer.body)
    return answer.status, headers.get(b"retry-after"), body["state"]


async def in_thread(function: Callable[[], object]) -> object:
    """Database work of a test whose loop runs in this thread."""

    def work() -> object:
        try:
            return function()
        finally:
            connection.close()

    return await asyncio.to_thread(work)


async def test_the_common_request_asks_neither_database_nor_valkey(ask, make_row, make_token, counted, clock, executor):
    row, secret = await in_thread(lambda: ((row := make_row()), make_token(row).secret))
    handoff.valkey.cache_clear()
    answers = [await ask(row, secret) for _ in range(100)]
    assert [answer.status for answer in answers] == [200] * 100
    assert counted.queries == [LOOK_UP_QUERIES]
    assert len(executor.handed_in) == 2  # the look-up, and one writing down of the last use
    clock.now = KEEP_SECONDS
    assert (await ask(row, secret)).status == 200
    assert counted.queries == [LOOK_UP_QUERIES] * 2
    assert len(executor.handed_in) == 3
    assert handoff.valkey.cache_info().currsize == 0  # nobody even made a client
    executor.settle()


def guess(number: int) -> str:
    return f"aigc_{number:040}"


async def test_an_unknown_token_is_looked_up_once_and_guessing_ends(ask, make_row, make_token, counted, clock):
    row, secret = await in_thread(lambda: ((row := make_row()), make_token(row).secret))
    assert (await ask(row, secret)).status == 200
    assert [(await ask(row, guess(0))).status for _ in range(GUESSES * 2)] == [401] * GUESSES * 2
    assert counted.queries == [LOOK_UP_QUERIES, 1]
    assert [(await ask(row, guess(number))).status for number in range(1, GUESSES)] == [401] * (GUESSES - 1)
    assert said(await ask(row, guess(GUESSES))) == (429, b"60", "refused")
    assert counted.queries == [LOOK_UP_QUERIES] + [1] * GUESSES
    assert (await ask(row, secret)).status == 200
    assert (await ask(row, guess(GUESSES), client="192.0.2.2")).status == 401
    clock.now = PER_SECONDS
    assert (await ask(row, guess(GUESSES + 1))).status == 401


async def test_a_program_that_goes_on_with_a_revoked_token_is_in_nobodys_way(ask, make_row, make_token, counted, clock):
    row, made = await in_thread(lambda: ((row := make_row()), make_token(row)))
    assert (await ask(row, made.secret)).status == 200
    await in_thread(lambda: revoke_api_token(token=made.token, by=made.token.membership))
    for _ in range(GUESSES * 3):
        clock.now += KEEP_SECONDS
        assert (await ask(row, made.secret)).status == 401
    assert counted.queries == [LOOK_UP_QUERIES, 1, 1]  # two minutes
    fresh = await in_thread(lambda: make_token(row).secret)
    assert (await ask(row, fresh)).status == 200


def test_guesses_are_counted_per_client_in_little_memory():
    clock = Clock()
    guessing = Guessing(clock)
    assert [guessing.may_ask(str(number), "2001:db8::1") for number in range(GUESSES + 1)] == [True] * GUESSES + [False]
    assert not guessing.may_ask("x", "2001:db8::ffff:1")
    assert guessing.may_ask("x", "2001:db8:0:1::1")
    for number in range(REMEMBERED + 5):
        guessing.may_ask("x", f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")
    assert len(guessing._counts) == REMEMBERED


def test_good_tokens_are_no_guesses():
    guessing = Guessing(Clock())
    for number in range(GUESSES * 2):
        assert guessing.may_ask(str(number), "192.0.2.1")
        guessing.was_good(str(number), "192.0.2.1")


async def test_without_the_database_no_program_is_let_in_once_memory_ends(ask, gate, make_row, make_token, clock):
    row, secret = await in_thread(lambda: ((row := make_row()), make_token(row).secret))
    assert (await ask(row, secret)).status == 200
    gate.memory.look_up = without_database
    assert (await ask(row, secret)).status == 200
    clock.now = KEEP_SECONDS
    assert said(await ask(row, secret)) == (503, b"3", "unavailable")
    gate.memory.look_up = look_up_in_thread
    assert (await ask(row, secret)).status == 200


def test_the_last_use_is_written_once_a_minute(make_row, make_token, executor, clock):
    token = make_token(make_row()).token
    used, another_process = LastUsed(executor, clock), LastUsed(executor, clock)
    for each in (used, used, another_process):
        each.note(token.pk)
        executor.settle()
    assert len(executor.handed_in) == 2
    token.refresh_from_db()
    first = token.last_used_at
    assert timezone.now() - first < timedelta(seconds=EVERY_SECONDS)
    clock.now = EVERY_SECONDS
    ApiToken.objects.update(last_used_at=first - timedelta(seconds=EVERY_SECONDS))
    used.note(token.pk)
    executor.settle()
    token.refresh_from_db()
    assert token.last_used_at >= first


# --- Waking ---------------------------------------------------------------------------------------------------------


async def test_without_the_scope_a_paused_engine_stays_paused(ask, make_row, make_token):
    row, secret = await in_thread(lambda: ((row := make_row(**PAUSED)), make_token(row).secret))
    assert said(await ask(row, secret)) == (503, b"15", "stopped")
    await in_thread(row.refresh_from_db)
    assert (row.desired_state, row.generation) == ("stopped", 1)


async def test_with_the_scope_it_is_started_once_as_the_maker(ask, gate, make_row, make_token, alice, executor):
    row, secret = await in_thread(lambda: ((row := make_row(**PAUSED)), make_token(row, scope="wake").secret))
    answers = await asyncio.gather(*(ask(row, secret) for _ in range(20)))
    assert {said(answer) for answer in answers} == {(503, b"15", "starting")}
    # Whatever this process remembers, it asks for no second start.
    gate.memory.forget_all()
    assert said(await ask(row, secret)) == (503, b"15", "starting")
    await in_thread(row.refresh_from_db)
    assert (row.desired_state, row.generation) == ("running", 2)
    events = await in_thread(lambda: list(InstanceEvent.objects.values_list("reason", "actor_id")))
    assert events == [("resumed", alice.pk)]


async def test_one_instance_is_woken_once_in_half_a_minute_by_all_processes(ask, gate, make_row, make_token, executor, clock):
    row, secret = await in_thread(lambda: ((row := make_row(**PAUSED)), make_token(row, scope="wake").secret))
    another = Gate(Memory(look_up_in_thread, executor, clock), executor)
    for each in (gate, another):
        each.memory.look_up = look_up_in_thread
        assert said(await ask(row, secret, gate=each)) == (503, b"15", "starting")
        await in_thread(lambda: pause(row))
        each.memory.forget_all()
        assert said(await ask(row, secret, gate=each)) == (503, b"15", "starting")
    await in_thread(row.refresh_from_db)
    assert row.desired_state == "stopped"  # who paused it meanwhile is not overruled at once
    clock.now = WAKE_EVERY_SECONDS
    await in_thread(lambda: handoff.valkey().delete(*handoff.valkey().keys("*:gw:wake:*")))  # as after half a minute
    assert said(await ask(row, secret)) == (503, b"15", "starting")
    await in_thread(row.refresh_from_db)
    assert row.desired_state == "running"


def pause(row: Instance) -> None:
    Instance.objects.filter(pk=row.pk).update(**PAUSED)


async def test_a_refused_start_says_why_in_every_process(ask, gate, make_row, make_token, executor, clock):
    row, secret = await in_thread(lambda: ((row := make_row(**PAUSED)), make_token(row, scope="wake").secret))
    await in_thread(lambda: factories.cap(row.tenant, running=0))
    another = Gate(Memory(look_up_in_thread, executor, clock), executor)
    for each in (gate, another):
        answer = await ask(row, secret, gate=each)
        assert said(answer) == (503, b"15", "stopped")
        assert "the limit of 0 running instances for" in json.loads(answer.body)["message"]
    await in_thread(row.refresh_from_db)
    assert row.desired_state == "stopped"


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"state": "failed", "desired_state": "running", "settled_generation": 1}, "failed"),
        ({"state": "deleting", "desired_state": "deleted"}, "deleting"),
        ({"state": "queued", "desired_state": "running"}, "starting"),
        ({"state": "stopping", "desired_state": "running"}, "starting"),
    ],
)
async def test_what_failed_or_is_on_its_way_is_left_alone(ask, make_row, make_token, fields, state):
    row, secret = await in_thread(lambda: ((row := make_row(upstream="", **fields)), make_token(row, scope="wake").secret))
    assert said(await ask(row, secret)) == (503, b"15", state)
    await in_thread(row.refresh_from_db)
    assert (row.desired_state, row.generation) == (fields["desired_state"], 1)


async def test_without_valkey_nothing_is_woken(ask, make_row, make_token, settings):
    row, secret = await in_thread(lambda: ((row := make_row(**PAUSED)), make_token(row, scope="wake").secret))
    url, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:1/0"
    handoff.valkey.cache_clear()
    try:
        assert said(await ask(row, secret)) == (503, b"3", "unavailable")
    finally:
        settings.REDIS_URL = url
        handoff.valkey.cache_clear()
    await in_thread(row.refresh_from_db)
    assert row.desired_state == "stopped"
    assert said(await ask(row, secret)) == (503, b"15", "starting")
