"""The formulas of insights, with their numbers worked out by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.insights.active_hours import per_active_hour, per_picture
from billing.insights.auto_pause import best, choices_for, curve
from billing.insights.pooling import peak, pool
from billing.insights.releases import Release, Spared, spared
from billing.insights.right_size import Observed, Other, sizes
from billing.insights.stretches import Stretch, active, joined, off_hours, rest, total, within
from billing.insights.time_sharing import Life, saved
from billing.insights.waste import Cause, Run, waste
from engines.idle.simulation import Run as PastRun
from engines.idle.simulation import Span

PRICE = Decimal("2.50")
HOUR = 3600
MONDAY = datetime(2026, 3, 9, 10, tzinfo=UTC)


def minutes(number: float) -> datetime:
    return MONDAY + timedelta(minutes=number)


def stretch(start: float, end: float) -> Stretch:
    return Stretch(minutes(start), minutes(end))


def gapped(*gaps: int) -> PastRun:
    """One run: uses of a minute, with these minutes between them, and none after the last."""
    spans, at = [Span(minutes(0), minutes(1))], 1
    for gap in gaps:
        spans.append(Span(minutes(at + gap), minutes(at + gap + 1)))
        at += gap + 1
    return PastRun(minutes(0), minutes(at), spans)


# --- Time-sharing and pooling: ten artists, three hours a day, thirty days ------------------------------------------------


def test_time_sharing_saves_what_was_not_on() -> None:
    found = saved([Life(30 * 24 * HOUR, 30 * 3 * HOUR, PRICE)] * 10)
    assert (found.always_on, found.paid, found.amount, found.rate) == (18000, 2250, 15750, Decimal("0.8750"))


def test_time_sharing_of_a_day_and_a_second() -> None:
    """Case 8 of the books: two runs of 118:17 and 59:55 minutes in a life of 24 hours and a second."""
    found = saved([Life(86401, 10692, PRICE)])
    assert (found.always_on, found.paid) == (Decimal("60.000694444"), Decimal("7.425000000"))
    assert found.rate == Decimal("0.8763")


def test_nothing_saved_by_nobody() -> None:
    assert (saved([]).amount, saved([]).rate) == (0, None)


def test_four_gpus_were_enough_for_ten() -> None:
    window = Stretch(MONDAY, MONDAY + timedelta(days=30))
    runs = []
    for day in range(30):
        for artist in range(10):
            # Four begin at 10, four as those end at 13, two at 16.
            begin = MONDAY + timedelta(days=day, hours=artist // 4 * 3)
            runs.append(Stretch(begin, begin + timedelta(hours=3)))
    found = pool(10, runs, window, PRICE)
    assert found is not None
    assert (found.peak, found.factor, found.cost, found.used, found.idle) == (4, Decimal("2.50"), 7200, 2250, 4950)
    assert found.utilisation == Decimal("0.3125")


def test_nothing_ran_needs_no_pool() -> None:
    assert (peak([]), pool(3, [], stretch(0, 60), PRICE)) == (0, None)


# --- Idle waste -----------------------------------------------------------------------------------------------------------


def test_every_idle_second_has_one_cause() -> None:
    """Monday 10:00 to 21:00: used at 10:00, at 10:12, at 12:00, and never again."""
    uses = (stretch(0, 0), stretch(12, 13), stretch(120, 120))
    found = waste([Run(stretch(0, 660), uses)], zone="UTC")
    assert (found.charged, found.active) == (660 * 60, 15 * 60)
    assert found.idle == {
        Cause.SHORT_GAP: 5 * 60,  # 10:05 to 10:10
        Cause.LONG_GAP: 105 * 60,  # 10:15 to 12:00
        Cause.TAIL: 475 * 60,  # 12:05 to 20:00
        Cause.OFF_HOURS: 60 * 60,  # 20:00 to 21:00
    }
    assert found.idle_seconds == found.charged - found.active


def test_a_run_without_any_use_is_all_tail() -> None:
    assert waste([Run(stretch(0, 60), ())], zone="UTC").idle[Cause.TAIL] == HOUR


def test_nights_are_those_of_the_time_zone() -> None:
    """10:00 to 11:00 in UTC is 18:00 to 19:00 in Shanghai, and 3:00 to 4:00 in Los Angeles."""
    idle = {zone: waste([Run(stretch(0, 60), ())], zone=zone).idle for zone in ("Asia/Shanghai", "America/Los_Angeles")}
    assert idle["Asia/Shanghai"][Cause.TAIL] == HOUR
    assert idle["America/Los_Angeles"][Cause.OFF_HOURS] == HOUR


def test_a_weekend_is_off() -> None:
    week = Stretch(datetime(2026, 3, 9, tzinfo=UTC), datetime(2026, 3, 16, tzinfo=UTC))
    assert total(off_hours(week, "UTC")) == (7 * 24 - 5 * 12) * HOUR


@pytest.mark.parametrize(("day", "hours"), [(8, 23), (1, 25)])
def test_clocks_change_on_sundays(day: int, hours: int) -> None:
    month = 3 if day == 8 else 11
    zone = "America/Los_Angeles"
    start = datetime(2026, month, day, 8 if month == 3 else 7, tzinfo=UTC)
    sunday = Stretch(start, start + timedelta(hours=hours))
    assert total(off_hours(sunday, zone)) == hours * HOUR


# --- Cost per active hour and per picture ---------------------------------------------------------------------------------


def test_an_active_hour_costs_more_than_an_hour() -> None:
    """A hundred hours, of which 26 % were active, and 5,200 pictures."""
    assert per_active_hour(Decimal(250), 26 * HOUR) == Decimal("9.615384615")
    assert per_picture(Decimal(250), 5200) == Decimal("0.048076923")


@pytest.mark.parametrize("none", [0, None])
def test_nothing_is_not_divided_by(none: int | None) -> None:
    assert (per_active_hour(Decimal(1), none or 0), per_picture(Decimal(1), none)) == (None, None)


# --- Auto-pause -----------------------------------------------------------------------------------------------------------


def test_the_past_replayed_under_three_idle_times() -> None:
    """Gaps of 9, 35, 14, 150, 62 and 52 minutes; a start takes three."""
    found = curve([gapped(9, 35, 14, 150, 62, 52)], [30, 10, 3], start_seconds=180, per_hour=PRICE, days=2, warm_up=timedelta(0))
    assert [(each.minutes, each.saved_seconds, each.resumes, each.amount) for each in found] == [
        (30, 167 * 60, 4, Decimal("6.958333333")),
        (10, 248 * 60, 5, Decimal("10.333333333")),
        (3, 286 * 60, 6, Decimal("11.916666667")),
    ]
    assert [each.resumes_a_day for each in found] == [Decimal("2.0"), Decimal("2.5"), Decimal("3.0")]
    chosen = best(found)
    assert chosen is not None
    assert chosen.minutes == 3


def test_a_long_start_makes_short_idle_times_dear() -> None:
    run = gapped(9, 9, 9)
    found = curve([run], [5, 10], start_seconds=300, per_hour=PRICE, days=1, warm_up=timedelta(0))
    assert [(each.saved_seconds, each.resumes) for each in found] == [(-3 * 60, 3), (0, 0)]
    assert found[0].amount == Decimal("-0.125000000")
    assert best(found) is None


def test_classes_add_up() -> None:
    one, other = (
        curve([gapped(60)], [30], start_seconds=60, per_hour=price, days=1, warm_up=timedelta(0))[0]
        for price in (PRICE, Decimal(1))
    )
    both = one + other
    assert (both.saved_seconds, both.resumes, both.amount) == (2 * 29 * 60, 2, one.amount + other.amount)


@pytest.mark.parametrize(("seconds", "first"), [(0, 1), (61, 2), (180, 3), (300, 5), (840, 5)])
def test_what_a_start_takes_is_among_the_choices(seconds: int, first: int) -> None:
    found = choices_for(seconds)
    assert found[0] == first
    assert max(1, -(-seconds // 60)) in found


@given(st.lists(st.integers(1, 300), max_size=12), st.integers(1, 20))
def test_pausing_after_what_a_start_takes_is_at_most_twice_the_best(gaps: list[int], start: int) -> None:
    """Ski rental: waiting and starting together cost at most twice what who knows all gaps would pay."""
    [found] = curve([gapped(*gaps)], [start], start_seconds=start * 60, per_hour=Decimal(60), days=1, warm_up=timedelta(0))
    paid = sum(gaps) - found.amount
    assert paid <= 2 * sum(min(gap, start) for gap in gaps)


# --- Right size -----------------------------------------------------------------------------------------------------------

A100, L40S, L4 = (
    Other("A100-40G", Decimal("1.60"), 40960, Decimal("1.4")),
    Other("L40S", Decimal("1.20"), 46068, Decimal("1.8")),
    Other("L4", Decimal("0.50"), 23034, Decimal("5.5")),
)
BUSY = Observed(PRICE, active_seconds=26 * HOUR, charged_seconds=100 * HOUR, memory_mib=30000)


def test_a_cheap_class_may_only_make_idling_cheap() -> None:
    found = {size.other.name: size for size in sizes(BUSY, [A100, L40S, L4])}
    assert list(found) == ["L4", "L40S", "A100-40G"]
    assert {name: (size.ratio, size.ratio_active) for name, size in found.items()} == {
        "A100-40G": (Decimal("0.707"), Decimal("0.896")),
        "L40S": (Decimal("0.580"), Decimal("0.864")),
        "L4": (Decimal("0.434"), Decimal("1.100")),
    }
    assert (found["L40S"].break_even, found["L40S"].break_even_active) == (Decimal("5.167"), Decimal("2.083"))
    assert found["L40S"].slowest_that_saves == Decimal("1.771")
    assert [size.fits for size in found.values()] == [False, True, True]
    assert not any(size.is_advised for size in found.values())  # none saves 15 % once nothing idles


def test_advice_needs_all_three() -> None:
    fast = Other("fast", Decimal("1.20"), 46068, Decimal("1.7"))

    def advised(observed: Observed, other: Other = fast) -> bool:
        return sizes(observed, [other])[0].is_advised

    assert advised(BUSY)
    assert not advised(Observed(PRICE, 20 * HOUR - 1, 100 * HOUR, 30000))
    assert not advised(Observed(PRICE, 26 * HOUR, 100 * HOUR, None))
    assert not advised(Observed(PRICE, 26 * HOUR, 100 * HOUR, 41462))  # above 90 % of its memory
    assert not advised(BUSY, Other("unknown", Decimal("0.10"), 46068, None))


def test_what_is_not_known_is_not_guessed() -> None:
    [size] = sizes(Observed(PRICE, 0, 0), [Other("L40S", Decimal("1.20"))])
    assert (size.ratio, size.ratio_active, size.break_even, size.fits) == (None, None, None, None)
    assert (size.break_even_active, size.slowest_that_saves) == (Decimal("2.083"), Decimal("1.771"))
    [free] = sizes(Observed(Decimal(0), HOUR, HOUR), [L4])
    assert (free.ratio, free.break_even_active) == (None, None)
    [gift] = sizes(BUSY, [Other("gift", Decimal(0), None, Decimal(2))])
    assert (gift.ratio, gift.break_even_active, gift.slowest_that_saves) == (0, None, None)


# --- Stretches ------------------------------------------------------------------------------------------------------------

STRETCHES = st.lists(
    st.tuples(st.integers(0, 500), st.integers(0, 90)).map(lambda each: stretch(each[0], each[0] + each[1])), max_size=12
)


@given(STRETCHES, st.integers(0, 300), st.integers(1, 300))
def test_what_is_taken_and_what_is_left_are_all(taken: list[Stretch], start: int, length: int) -> None:
    bounds = stretch(start, start + length)
    inside = joined(within(taken, bounds))
    assert total(inside) + total(rest(bounds, taken)) == bounds.seconds
    assert total(within(rest(bounds, taken), bounds)) == total(rest(bounds, taken))


@given(STRETCHES, st.integers(0, 300), st.integers(1, 300))
def test_idle_is_what_is_not_active(uses: list[Stretch], start: int, length: int) -> None:
    found = waste([Run(stretch(start, start + length), tuple(uses))], zone="Asia/Kathmandu")
    assert found.active + found.idle_seconds == found.charged == length * 60


def test_a_moment_is_active_for_its_five_minutes() -> None:
    bounds = stretch(0, 60)
    assert active([stretch(7, 7)], bounds) == [stretch(5, 10)]
    assert active([stretch(4, 6), stretch(10, 10)], bounds) == [stretch(0, 15)]
    assert active([stretch(-3, -1), stretch(62, 63)], bounds) == []
    assert active([stretch(58, 70)], bounds) == [stretch(55, 60)]


# --- Releases for idleness: the week of Monday, 9 March 2026 --------------------------------------------------------------

WEEK = Stretch(datetime(2026, 3, 9, tzinfo=UTC), datetime(2026, 3, 16, tzinfo=UTC))


def at(day: int, hour: float) -> datetime:
    return datetime(2026, 3, day, tzinfo=UTC) + timedelta(hours=hour)


@pytest.mark.parametrize(
    ("released_at", "back_at", "hours"),
    [
        (at(9, 14), at(9, 15.5), 1.5),  # until the next start
        (at(9, 14), at(10, 9), 6),  # until 20:00 of the same day
        (at(9, 14), None, 6),
        (at(9, 20), None, 0),
        (at(9, 21), at(9, 22), 0),
        (at(10, 3), None, 12),  # from 8:00
        (at(10, 3), at(10, 7), 0),
        (at(10, 3), at(10, 9), 1),
        (at(14, 11), None, 0),  # a Saturday
        (at(13, 19.5), at(16, 9), 0.5),  # a Friday
    ],
)
def test_a_release_is_claimed_within_its_working_day(released_at: datetime, back_at: datetime | None, hours: float) -> None:
    assert spared([Release(released_at, back_at)], WEEK, "UTC") == Spared(1, int(hours * HOUR))


def test_nothing_is_claimed_beyond_the_window() -> None:
    until_noon = Stretch(WEEK.starts_at, at(9, 12))
    assert spared([Release(at(9, 10), None), Release(at(9, 10), at(9, 18))], until_noon, "UTC") == Spared(2, 4 * HOUR)


def test_working_days_are_those_of_the_time_zone() -> None:
    """19:00 in Shanghai is 11:00 in UTC; Monday 23:00 in UTC is Tuesday 7:00 there, which begins an hour later."""
    releases = [Release(at(9, 11), None), Release(at(9, 23), at(10, 2))]
    assert spared(releases, WEEK, "Asia/Shanghai") == Spared(2, 3 * HOUR)


def test_a_working_day_is_twelve_hours_when_clocks_change() -> None:
    """In Berlin the last Sunday of March is short; on the Monday after it 8:00 is 6:00 in UTC."""
    month = Stretch(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    assert spared([Release(at(30, 5), None)], month, "Europe/Berlin") == Spared(1, 12 * HOUR)
