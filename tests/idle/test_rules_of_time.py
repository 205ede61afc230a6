"""Working hours, schedules, and the past replayed: pure functions of moments."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.idle.calendar import last_due, next_due
from engines.idle.hours import Hours
from engines.idle.policy import Policy, tightened
from engines.idle.simulation import Outcome, Run, Span, replay

WEEKDAYS = frozenset(range(5))
OFFICE = Hours(WEEKDAYS, time(9), time(18), "Europe/Berlin")
MINUTE = timedelta(minutes=1)
START = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        (OFFICE, "2026-03-02 08:00", "2026-03-02 17:00"),  # 09:00 in Berlin, its first moment
        (OFFICE, "2026-03-02 07:59", None),
        (OFFICE, "2026-03-02 17:00", None),  # half-open
        (OFFICE, "2026-03-01 12:00", None),  # a Sunday
        (OFFICE, "2026-07-06 07:00", "2026-07-06 16:00"),  # summer
        (Hours(frozenset({5}), time(22), time(4), "Europe/Berlin"), "2026-03-28 23:30", "2026-03-29 02:00"),  # clocks go forward
        (Hours(frozenset({5}), time(22), time(4), "Europe/Berlin"), "2026-03-29 01:59", "2026-03-29 02:00"),
        (Hours(frozenset({0}), time(0), time(0), "UTC"), "2026-03-02 23:59", "2026-03-03 00:00"),  # the whole day
        (Hours(WEEKDAYS, time(0), time(0), "UTC"), "2026-03-02 23:59", "2026-03-07 00:00"),  # day after day, to the weekend
        (Hours(frozenset({0, 1}), time(8), time(8), "UTC"), "2026-03-03 07:00", "2026-03-04 08:00"),
        (Hours(frozenset(range(7)), time(0), time(0), "UTC"), "2026-03-02 12:00", "2026-03-10 00:00"),  # always: a week ahead
    ],
)
def test_hours_end_when_the_places_clock_says(hours: Hours, now: str, end: str | None) -> None:
    expected = None if end is None else datetime.fromisoformat(end).replace(tzinfo=UTC)
    assert hours.end_of_shift(datetime.fromisoformat(now).replace(tzinfo=UTC)) == expected


@pytest.mark.parametrize(
    ("after", "until", "due"),
    [
        ("2026-03-02 17:00", "2026-03-02 18:00", "2026-03-02 18:00"),
        ("2026-03-02 18:00", "2026-03-02 18:00", None),  # done already
        ("2026-02-27 18:00", "2026-03-02 17:59", None),  # a weekend
        ("2026-02-23 00:00", "2026-03-05 12:00", "2026-03-04 18:00"),  # only the latest counts
    ],
)
def test_a_schedule_is_due_once(after: str, until: str, due: str | None) -> None:
    def moment(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    found = last_due(days=WEEKDAYS, at=time(19), zone="Europe/Berlin", after=moment(after), until=moment(until))
    assert found == (None if due is None else moment(due))


def test_a_time_that_clocks_skip_is_due_once_and_one_that_they_repeat_too() -> None:
    every_day = frozenset(range(7))
    begin = datetime(2026, 3, 28, 12, tzinfo=UTC)
    skipped = next_due(days=every_day, at=time(2, 30), zone="Europe/Berlin", after=begin)
    assert skipped == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    repeated = next_due(days=every_day, at=time(2, 30), zone="Europe/Berlin", after=datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert repeated == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    following = next_due(days=every_day, at=time(2, 30), zone="Europe/Berlin", after=repeated)
    assert following == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


@given(
    days=st.frozensets(st.integers(0, 6), min_size=1),
    at=st.times(),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"]),
    after=st.integers(1_262_304_000, 1_893_456_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)
def test_what_is_next_is_the_last_when_it_has_come(days, at, zone, after) -> None:
    found = next_due(days=days, at=at, zone=zone, after=after)
    assert found is not None
    assert after < found <= after + timedelta(days=9)
    assert last_due(days=days, at=at, zone=zone, after=after, until=found) == found
    assert last_due(days=days, at=at, zone=zone, after=after, until=found - timedelta(microseconds=1)) is None


POLICIES = st.builds(
    Policy,
    exempt=st.booleans(),
    idle=st.timedeltas(MINUTE, timedelta(days=2)),
    warm_up=st.timedeltas(timedelta(0), timedelta(hours=2)),
    minimum_run=st.timedeltas(timedelta(0), timedelta(days=1)),
    maximum_life=st.none() | st.timedeltas(MINUTE, timedelta(days=9)),
    maximum_busy=st.none() | st.timedeltas(MINUTE, timedelta(days=9)),
    end_busy=st.booleans(),
    release_unknown=st.booleans(),
)


@given(POLICIES, POLICIES)
def test_a_tenants_rule_never_makes_an_operators_looser(operators: Policy, tenants: Policy) -> None:
    both = tightened(operators, tenants)
    assert both.exempt <= operators.exempt
    assert both.idle <= operators.idle
    assert both.warm_up <= operators.warm_up
    assert both.minimum_run <= operators.minimum_run
    assert both.end_busy >= operators.end_busy
    assert both.release_unknown >= operators.release_unknown
    for limit in ("maximum_life", "maximum_busy"):
        if getattr(operators, limit) is not None:
            assert getattr(both, limit) <= getattr(operators, limit)


def run(minutes: float, *spans: tuple[float, float], **fields) -> Run:
    uses = [Span(START + begin * MINUTE, START + end * MINUTE) for begin, end in spans]
    return Run(START, START + minutes * MINUTE, uses, **fields)


@pytest.mark.parametrize(
    ("past", "idle", "outcome"),
    [
        (run(100), 20, Outcome(70 * MINUTE)),  # warm-up ends after 10
        (run(100, (10, 60)), 20, Outcome(20 * MINUTE)),
        (run(100, (10, 30), (80, 100)), 20, Outcome(30 * MINUTE, interrupted=1)),
        (run(100, (10, 30), (40, 100)), 20, Outcome()),
        (run(100, (0, 90), idle_after=10 * MINUTE), 10, Outcome()),
        (run(100, (0, 90), idle_after=10 * MINUTE), 30, Outcome(-20 * MINUTE)),
        (run(100, (0, 90), idle_after=10 * MINUTE, next_at=START + 105 * MINUTE), 30, Outcome(-5 * MINUTE, spared=1)),
        (run(5), 20, Outcome()),
    ],
)
def test_the_past_is_replayed(past: Run, idle: float, outcome: Outcome) -> None:
    assert replay([past], idle=idle * MINUTE, warm_up=10 * MINUTE) == outcome


def test_the_engines_own_work_interrupts_nobody() -> None:
    work = Span(START + 60 * MINUTE, START + 70 * MINUTE, by_somebody=False)
    past = Run(START, START + 70 * MINUTE, [work])
    assert replay([past], idle=20 * MINUTE, warm_up=10 * MINUTE) == Outcome(30 * MINUTE)


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(0, 60)), max_size=8), st.floats(1, 100), st.floats(1, 100))
def test_a_shorter_idle_time_never_saves_less(spans, one, other) -> None:
    past = run(500, *((begin, begin + length) for begin, length in spans))
    short, long = sorted([one, other])
    saved = [replay([past], idle=each * MINUTE, warm_up=10 * MINUTE) for each in (short, long)]
    assert saved[0].saved >= saved[1].saved
    assert saved[0].interrupted >= saved[1].interrupted
