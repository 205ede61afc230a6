"""When a GPU is given back, and when it is not: one pure function."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engines.idle.decision import Decision, Known, Look, Said, Why, counted, decide, next_due
from engines.idle.policy import Policy

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLICY = Policy()
FREE = Look(Said.FREE, "queue is empty")


def known(**minutes_ago: float | bool) -> Known:
    """What is known at noon; `user_at=3` is three minutes ago, `keep_until=-3` in three minutes. Ready for a day."""
    moments = {"ready_at": NOON - timedelta(days=1)}
    others = {}
    for name, value in minutes_ago.items():
        if name in {"when_free", "free_looks"}:
            others[name] = value
        else:
            moments[name] = NOON - value * MINUTE
    return Known(**moments, **others)


def after_looks(start: Known, policy: Policy, *looks: Look) -> Decision:
    """Decide after looks a minute apart, the last one at noon."""
    for back, look in zip(range(len(looks) - 1, -1, -1), looks, strict=True):
        now = NOON - back * MINUTE
        start = counted(start, look, now)
        decision = decide(start, policy, now, look)
    return decision


@pytest.mark.parametrize(
    ("look", "counted_streams", "why"),
    [
        (Look(Said.FREE, all_jobs=False), True, Why.IDLE),
        (Look(Said.FREE, all_jobs=False), False, Why.UNKNOWN),
        (Look(Said.FREE, all_jobs=False, load=None), True, Why.UNKNOWN),
        (Look(Said.FREE, load=None), False, Why.IDLE),  # its own word covers all
        (Look(Said.MUTE, has_work=True), True, Why.IDLE),
        (Look(Said.MUTE, has_work=True), False, Why.UNKNOWN),
        (Look(Said.MUTE, load=None), False, Why.IDLE),  # nothing of it can be known: it is quiet for twice as long
    ],
)
def test_what_an_engine_does_not_say_must_be_covered_by_streams_and_load(look: Look, counted_streams: bool, why: Why) -> None:
    facts = replace(known(user_at=60), streams_counted=counted_streams)
    assert after_looks(facts, POLICY, look, look).why == why


@pytest.mark.parametrize(
    ("facts", "changes", "why", "due_in"),
    [
        ({"user_at": 5}, {}, Why.USED, 15),
        ({"api_at": 5, "user_at": 9}, {}, Why.CALLED, 15),
        ({"stream_at": 5}, {}, Why.STREAM, 15),
        ({"ready_at": 5}, {}, Why.WARM_UP, 25),
        ({"ready_at": 15}, {}, Why.WARM_UP, 15),
        ({"ready_at": 40, "user_at": 30}, {"minimum_run": 60 * MINUTE}, Why.MINIMUM_RUN, 20),
        ({"user_at": 30, "keep_until": -45}, {}, Why.KEPT, 45),
        ({"user_at": 5}, {"maximum_life": timedelta(days=1, minutes=3)}, Why.USED, 3),
        ({"user_at": 5, "stop_due_at": -7}, {}, Why.USED, 7),
        ({"user_at": 5, "stop_due_at": 1, "keep_until": -30}, {}, Why.KEPT, 30),
        ({"user_at": 5}, {"exempt": True}, Why.EXEMPT, None),
        ({"user_at": 5}, {"exempt": True, "maximum_life": timedelta(days=1, minutes=3)}, Why.EXEMPT, 3),
    ],
)
def test_it_is_known_what_holds_it_and_until_when(facts, changes, why, due_in) -> None:
    decision = next_due(known(**facts), replace(POLICY, **changes), NOON, mute=False)
    assert (decision.release, decision.why) == (False, why)
    assert decision.due_at == (None if due_in is None else NOON + due_in * MINUTE)


def test_an_engine_that_cannot_be_asked_must_be_quiet_for_twice_as_long() -> None:
    facts = known(user_at=25)
    assert next_due(facts, POLICY, NOON, mute=False).release
    mute = next_due(facts, POLICY, NOON, mute=True)
    assert (mute.release, mute.due_at) == (False, NOON + 15 * MINUTE)
    assert after_looks(known(user_at=41), POLICY, Look(Said.MUTE), Look(Said.MUTE)).why == Why.IDLE
    assert after_looks(known(user_at=41), POLICY, Look(Said.MUTE), Look(Said.MUTE, load="CPU 80 %")).why == Why.LOAD


def test_two_looks_must_find_it_free() -> None:
    facts = known(user_at=30)
    once = after_looks(facts, POLICY, FREE)
    assert (once.release, once.why) == (False, Why.ONE_MORE_LOOK)
    twice = after_looks(facts, POLICY, FREE, FREE)
    assert (twice.release, twice.why, twice.evidence) == (True, Why.IDLE, "queue is empty")
    assert not after_looks(facts, POLICY, FREE, Look(Said.BUSY), FREE).release
    assert not after_looks(facts, POLICY, FREE, Look(Said.UNKNOWN), FREE).release


def test_two_looks_within_a_moment_are_one() -> None:
    first = counted(known(user_at=30), FREE, NOON)
    second = counted(first, FREE, NOON + timedelta(seconds=44))
    assert (first.free_looks, second.free_looks) == (1, 1)
    assert not decide(second, POLICY, NOON + timedelta(seconds=44), FREE).release


def test_use_after_the_looks_wins() -> None:
    free = counted(counted(known(user_at=30), FREE, NOON - MINUTE), FREE, NOON)
    assert decide(free, POLICY, NOON, FREE).release
    assert decide(replace(free, user_at=NOON), POLICY, NOON, FREE).why == Why.USED


def test_a_running_generation_is_never_ended() -> None:
    facts = known(user_at=10_000, busy_since=23 * 60)
    busy = after_looks(facts, POLICY, Look(Said.BUSY, "1 job"), Look(Said.BUSY, "1 job"))
    assert (busy.release, busy.why, busy.evidence, busy.warn) == (False, Why.BUSY, "1 job", False)
    assert busy.since == NOON - 23 * 60 * MINUTE


@pytest.mark.parametrize("end_busy", [False, True])
def test_one_that_lasts_a_day_is_told_and_ended_only_by_rule(end_busy: bool) -> None:
    facts = known(user_at=10_000, busy_since=24 * 60)
    busy = after_looks(facts, replace(POLICY, end_busy=end_busy), Look(Said.BUSY))
    assert (busy.release, busy.why, busy.warn) == (end_busy, Why.BUSY_TOO_LONG, True)


@pytest.mark.parametrize(
    ("minutes", "release_unknown", "why"),
    [(29, True, "unknown"), (30, True, "unknown_too_long"), (300, False, "unknown_too_long")],
)
def test_not_to_know_is_not_to_be_idle(minutes: int, release_unknown: bool, why: str) -> None:
    facts = known(user_at=1000, unknown_since=minutes)
    decision = after_looks(facts, replace(POLICY, release_unknown=release_unknown), Look(Said.UNKNOWN, "timed out"))
    assert (decision.release, decision.why) == (release_unknown and minutes >= 30, why)
    assert decision.warn == (minutes >= 30)


def test_unknown_begins_anew_after_every_answer() -> None:
    facts = known(user_at=1000, unknown_since=60)
    answered = counted(facts, FREE, NOON)
    assert answered.unknown_since is None
    assert counted(answered, Look(Said.UNKNOWN), NOON + MINUTE).unknown_since == NOON + MINUTE


def test_an_open_stream_of_work_is_work_whatever_the_queue_says() -> None:
    facts = known(user_at=100, stream_at=0.2, free_looks=5)
    assert decide(facts, replace(POLICY, idle=timedelta(seconds=1)), NOON, FREE).why == Why.STREAM
    assert counted(facts, FREE, NOON).free_looks == 0


def test_load_delays_only_where_the_engines_word_does_not_cover_what_runs() -> None:
    facts = known(user_at=100)
    counts_waiting = Look(Said.FREE, "queue_size 0", all_jobs=False, load="CPU 95 %")
    assert after_looks(facts, POLICY, counts_waiting, counts_waiting).why == Why.LOAD
    counts_all = replace(counts_waiting, all_jobs=True)
    assert after_looks(facts, POLICY, counts_all, counts_all).why == Why.IDLE
    assert after_looks(facts, POLICY, Look(Said.UNKNOWN, load="GPU 40 %")).why == Why.LOAD


@pytest.mark.parametrize(
    ("facts", "changes", "why"),
    [
        ({"user_at": 0, "stop_due_at": 0}, {}, Why.SCHEDULE),
        ({"user_at": 0}, {"maximum_life": timedelta(hours=12)}, Why.LIFE_OVER),
        ({"user_at": 0}, {"maximum_life": timedelta(hours=12), "exempt": True}, Why.LIFE_OVER),
        ({"user_at": 0, "when_free": True}, {"exempt": True}, Why.QUEUE_EMPTY),
    ],
)
def test_other_ends_wait_for_the_engine_too(facts, changes, why) -> None:
    policy = replace(POLICY, **changes)
    assert after_looks(known(**facts), policy, Look(Said.BUSY), Look(Said.BUSY)).why == Why.BUSY
    ended = after_looks(known(**facts), policy, FREE, FREE)
    assert (ended.release, ended.why) == (True, why)
