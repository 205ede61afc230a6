"""Worked cases with their numbers: H100 at 2.50 an hour, storage at 0.000137 a GiB and hour, unless a case says otherwise."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

import pytest

from billing.metering import OwnerChange, TagChange
from billing.models import Charge
from billing.periods import Month
from billing.rating import amount_of
from tests.billing.facts import BEGINNING, moment
from tests.billing.ledger_in_memory import Books
from tests.billing.library import present

H100 = {"id": 1, "per_hour": "2.50"}
DISK = {"id": 9, "per_hour": "0.000137", "gpu_class_id": None}
MARCH, APRIL = Month(2026, 3), Month(2026, 4)


def books(zone: str = "UTC", *prices: dict[str, Any]) -> Books:
    return Books(present(), zone, prices or (H100, DISK))


def ran(own: Books, start: str | datetime, end: str | datetime, **fields: Any) -> Books:
    start, end = (moment(at) if isinstance(at, str) else at for at in (start, end))
    own.note("ready", start, **fields)
    own.note("ended", end, **fields)
    return own


def total(rows: list[Charge]) -> str:
    return str(sum((row.amount for row in rows), Decimal(0)))


def told(rows: list[Charge]) -> list[tuple[int, str]]:
    return [(row.seconds, str(row.amount)) for row in rows]


@pytest.mark.parametrize(
    ("seconds", "amount"),
    [(1, "0.000694444"), (59, "0.040972222"), (1200, "0.833333333"), (3599, "2.499305556"), (3600, "2.500000000")],
)
def test_1_a_second_to_an_hour(seconds: int, amount: str) -> None:
    start = moment("2026-03-10T10:00:00")
    own = ran(books(), start, start + timedelta(seconds=seconds))
    own.settle(start + timedelta(days=1))
    assert told(own.standing()) == [(seconds, amount)]


def test_2_month_and_price_change() -> None:
    change = moment("2026-02-01T00:30:00")
    rising = ({"id": 1, "per_hour": "2.50", "ends_at": change}, {"id": 2, "per_hour": "3.00", "starts_at": change})
    own = ran(books("UTC", *rising), "2026-01-31T23:50:30", "2026-02-01T02:10:15")
    own.settle(moment("2026-02-02"))
    assert told(own.standing()) == [
        (570, "0.395833333"),
        (1800, "1.250000000"),
        (1800, "1.500000000"),
        (3600, "3.000000000"),
        (615, "0.512500000"),
    ]
    assert [total(own.posted_in(Month(2026, number))) for number in (1, 2)] == ["0.395833333", "6.262500000"]


@pytest.mark.parametrize(
    ("zone", "day", "seconds", "amount", "lines"),
    [
        ("America/Los_Angeles", date(2026, 3, 8), 82_800, "57.500000000", 23),
        ("America/Los_Angeles", date(2026, 11, 1), 90_000, "62.500000000", 25),
        ("Europe/Berlin", date(2026, 3, 29), 82_800, "57.500000000", 23),
        ("Europe/Berlin", date(2026, 10, 25), 90_000, "62.500000000", 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 88_200, "61.250000000", 25),
    ],
)
def test_3_days_on_which_clocks_change(zone: str, day: date, seconds: int, amount: str, lines: int) -> None:
    own = books(zone)
    start, end = own.calendar.day_span(day)
    ran(own, start - timedelta(minutes=90), end + timedelta(minutes=90)).settle(end + timedelta(days=1))
    by_day = [(day, list(rows)) for day, rows in groupby(own.standing(), key=lambda row: row.day)]
    found = [(each, sum(row.seconds for row in rows), total(rows)) for each, rows in by_day]
    neighbours = [(day + timedelta(days=off), 5400, "3.750000000") for off in (-1, 1)]
    assert found == [neighbours[0], (day, seconds, amount), neighbours[1]]
    assert len(by_day[1][1]) == lines


def test_4_kathmandu() -> None:
    own = ran(books("Asia/Kathmandu"), "2026-03-31T17:50:00", "2026-03-31T19:00:00")
    own.settle(moment("2026-04-02"))
    assert told(own.posted_in(MARCH)) == [(600, "0.416666667"), (900, "0.625000000")]
    assert told(own.posted_in(APRIL)) == [(2700, "1.875000000")]
    assert own.posted_in(APRIL)[0].starts_at == moment("2026-03-31T18:15:00") == own.calendar.period(APRIL).starts_at


def test_5_open_then_concluded_then_known() -> None:
    own = books()
    own.note("ready", moment("2026-03-10T10:00:00"))
    own.settle(moment("2026-03-10T12:00:00"))
    for end, source in (("11:42:10", "reconcile"), ("11:44:03", "cluster")):
        own.note("ended", moment(f"2026-03-10T{end}"), source=source)
        own.settle(moment("2026-03-10T12:10:00"))
    assert [(row.kind, row.revision, row.seconds, str(row.amount)) for row in own.rows[1:]] == [
        ("original", 0, 3600, "2.500000000"),
        ("reversal", 1, -3600, "-2.500000000"),
        ("replacement", 1, 2530, "1.756944444"),
        ("reversal", 2, -2530, "-1.756944444"),
        ("replacement", 2, 2643, "1.835416667"),
    ]
    assert (sum(row.seconds for row in own.rows), total(own.rows)) == (6243, "4.335416667")


def test_6_late_end_after_the_month_was_closed() -> None:
    own = books()
    own.note("ready", moment("2026-03-31T22:00:00"))
    own.note("ended", moment("2026-03-31T23:30:00"), source="reconcile")
    own.settle(moment("2026-04-03"))
    digest = own.close(MARCH)
    own.note("ended", moment("2026-03-31T23:41:12"))
    own.settle(moment("2026-04-05"))
    assert own.digest(MARCH) == digest
    late = own.posted_in(APRIL)
    assert told(late) == [(-1800, "-1.250000000"), (2472, "1.716666667")]
    assert {row.is_correction for row in late} == {True}
    assert [(f"{row.starts_at:%T}", f"{row.ends_at:%T}", row.day) for row in late] == [
        ("23:00:00", "23:30:00", date(2026, 3, 31)),
        ("23:00:00", "23:41:12", date(2026, 3, 31)),
    ]
    assert total(late) == "0.466666667"


def test_7_discount_for_the_past_after_the_month_was_closed() -> None:
    own = ran(books(), "2026-03-05T00:00:00", "2026-03-05T02:00:00")
    own.settle(moment("2026-03-06"))
    own.close(MARCH)
    own.prices.append(own._price(id=2, per_hour="2.00", tenant_id=1, starts_at=moment("2026-03-05T01:00:00")))
    own.settle(moment("2026-04-02"))
    late = own.posted_in(APRIL)
    assert [(str(row.amount), row.is_correction) for row in late] == [("-2.500000000", True), ("2.000000000", True)]
    assert total(own.rows) == "4.500000000"
    assert sum(row.list_amount for row in own.rows) == Decimal("5.000000000")


def test_8_pause_and_storage() -> None:
    start = moment("2026-04-01T00:00:00")
    own = books()
    for run, (begin, end) in {"a": (120, 7217), "b": (36_005, 39_600)}.items():
        ran(own, start + timedelta(seconds=begin), start + timedelta(seconds=end), run_id=run)
    own.note_volume("provisioned", start)
    own.note_volume("gone", start + timedelta(seconds=86_401))
    own.settle(start + timedelta(days=3))
    gpu, stored = ([row for row in own.standing() if row.category == category] for category in ("gpu", "storage"))
    assert (sum(row.seconds for row in gpu), total(gpu)) == (10_692, "7.425000001")
    # By days: a nano less than by hours.
    assert (told(stored), total(stored)) == ([(86_400, "0.328800000"), (1, "0.000003806")], "0.328803806")
    always_on = amount_of(Decimal("2.50"), 86_401)
    assert str(always_on) == "60.000694444"


@pytest.mark.parametrize(("days", "amount"), [(30, "9.864000000"), (31, "10.192800000")])
def test_9_a_month_of_storage(days: int, amount: str) -> None:
    start = moment("2026-05-01")
    own = books()
    own.note_volume("provisioned", start)
    own.note_volume("gone", start + timedelta(days=days))
    own.settle(start + timedelta(days=40))
    assert total(own.rows) == amount


def test_10_the_node_is_lost() -> None:
    start = moment("2026-03-10T10:00:00")
    own = ran(books(), start, start + timedelta(seconds=3300), run_id="a")
    ran(own, start + timedelta(seconds=3000), start + timedelta(seconds=6000), run_id="b")
    own.settle(start + timedelta(days=1))
    assert (sum(row.seconds for row in own.rows), total(own.rows)) == (6000, "4.166666667")
    assert sum(row.seconds for row in own.rows if row.run_id == "a") == 3000


@pytest.mark.parametrize(("nano", "amount"), [(1, 0), (3, 2)])
def test_11_ties_go_to_the_even_neighbour(nano: int, amount: int) -> None:
    assert amount_of(Decimal(nano).scaleb(-9), 1800) == Decimal(amount).scaleb(-9)


def test_12_handed_over_within_an_hour() -> None:
    own = ran(books(), "2026-03-10T12:00:00", "2026-03-10T13:00:00")
    own.handovers.append(OwnerChange(moment("2026-03-10T12:20:00"), from_owner_id=1, to_owner_id=2))
    own.settle(moment("2026-03-11"))
    assert [(row.owner_id, row.seconds, row.price_id) for row in own.standing()] == [(1, 1200, 1), (2, 2400, 1)]
    assert total(own.rows) == "2.500000000"


def test_13_a_volume_grows_and_shrinks_within_its_cell() -> None:
    start = moment("2026-03-10T10:00:00")
    own = books()
    for kind, minute, size in (("provisioned", 0, 100), ("changed", 10, 200), ("changed", 20, 100), ("gone", 60, 100)):
        own.note_volume(kind, start + timedelta(minutes=minute), size_gib=size)
    own.settle(start + timedelta(days=2))
    rows = own.standing()
    assert [(row.quantity_milli, *told([row])[0]) for row in rows] == [
        (100_000, 3000, "0.011416667"),
        (200_000, 600, "0.004566667"),
    ]
    assert rows[0].seconds < (rows[0].ends_at - rows[0].starts_at).total_seconds()


def test_14_end_before_its_start_is_known() -> None:
    own = books()
    own.note("ended", moment("2026-03-10T10:08:20"))
    assert own.settle(moment("2026-03-10T12:00:00")) == 0
    own.note("ready", moment("2026-03-10T10:00:00"), observed_at=moment("2026-03-13"))
    own.settle(moment("2026-03-13"))
    assert [(row.kind, *told([row])[0]) for row in own.rows] == [("original", 500, "0.347222222")]


@pytest.mark.parametrize(("first", "rows"), [("reconcile", 3), ("cluster", 1)])
def test_15_two_words_about_one_end(first: str, rows: int) -> None:
    start = moment("2026-03-10T10:00:00")
    ends = {"reconcile": 900, "cluster": 1000}
    own = books()
    own.note("ready", start)
    for source in sorted(ends, key=lambda source: source != first):
        own.note("ended", start + timedelta(seconds=ends[source]), source=source)
        own.settle(start + timedelta(minutes=30), until=start)
    assert (len(own.rows), total(own.rows)) == (rows, "0.694444444")


def test_17_tag_changed_within_the_month() -> None:
    """Old lines keep the tag of their time; for names see test_settle_volumes."""
    own = ran(books(), "2026-03-10T12:00:00", "2026-03-10T13:00:00")
    own.tag_changes.append(TagChange(moment("2026-03-10T12:20:00.9"), "", "spring"))
    own.settle(moment("2026-03-11"))
    assert [(row.tag, row.seconds) for row in own.standing()] == [("", 1200), ("spring", 2400)]


def test_20_a_leap_year_with_a_new_price() -> None:
    leap_day = moment("2024-02-29")
    rising = ({"id": 1, "per_hour": "2.50", "ends_at": leap_day}, {"id": 2, "per_hour": "3.00", "starts_at": leap_day})
    own = ran(books("UTC", *rising), "2024-01-01", "2025-01-01")
    own.settle(moment("2025-01-02"))
    rows = own.standing()
    assert (len(rows), sum(row.seconds for row in rows), total(rows)) == (8784, 31_622_400, "25644.000000000")


@pytest.mark.parametrize(("quantity", "amount"), [(333, "0.277500000"), (334, "0.278333333"), (1000, "0.833333333")])
def test_thirds_of_a_gpu_add_up(quantity: int, amount: str) -> None:
    start = moment("2026-03-10T10:00:00")
    own = ran(books(), start, start + timedelta(seconds=1200), quantity_milli=quantity)
    own.settle(start + timedelta(days=1))
    assert told(own.rows) == [(1200, amount)]
    assert start > BEGINNING
