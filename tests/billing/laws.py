"""What holds for every history of an instance, asked of the pure modules and counted second by second.

Times are drawn near the edges at which books go wrong: uniform ones leave wrong code alive.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.billing.facts import BEGINNING, moment
from tests.billing.ledger_in_memory import Books

ZONES = ["UTC", "Asia/Shanghai", "Asia/Kathmandu", "America/Los_Angeles", "Australia/Lord_Howe"]
EDGES = [
    moment(text)
    for text in (
        *("2026-03-01T00:00", "2026-03-08T08:00", "2026-03-08T10:00", "2026-03-31T13:00", "2026-03-31T16:00"),
        *("2026-03-31T18:15", "2026-04-01T00:00", "2026-04-01T07:00", "2026-04-04T15:00", "2026-11-01T09:00", "2024-02-29T00:00"),
    )
]
DAYS = [date(2026, 3, 8), date(2026, 4, 1), date(2026, 4, 5), date(2026, 11, 1)]
"""Whose midnights are edges too, in each zone its own: some have 23 hours, some 25, and one begins a month."""
SECONDS = st.one_of(
    st.integers(-2, 2),
    st.sampled_from([-5400, -3600, -3599, -1800, 1, 59, 1800, 3599, 3600, 3601, 5400]),
    st.integers(-5400, 9000),
)
LENGTHS = st.one_of(st.sampled_from([0, 1, 2, 59, 1800, 3599, 3600, 3601, 7200]), st.integers(0, 6000))


@dataclass(frozen=True)
class Run:
    """From ready to ended, in seconds since the base; what else is said about it changes nothing."""

    start: int
    end: int
    concluded: int | None  # an end concluded from absence
    noise: tuple[int, ...]  # signs of life, and how long before its start its GPU was taken


@dataclass(frozen=True)
class History:
    """Everything that happens to one instance."""

    zone: str
    base: datetime
    runs: tuple[Run, ...]
    quantity: int
    raised_at: int  # the list price, from 2.50 to 3.00
    discount_at: int  # the tenant's own price of 1.999999999 begins
    discount_ends: int
    handed_over_at: int
    tagged_at: int

    def at(self, seconds: int) -> datetime:
        return self.base + timedelta(seconds=seconds)

    @property
    def end(self) -> datetime:
        return self.base + timedelta(days=70)

    @property
    def spans(self) -> list[tuple[str, int, int]]:
        """Run, first second and last: never two at once, the later one counts that was ready for any time at all."""
        lasted = [(f"run{number}", run.start, run.end) for number, run in enumerate(self.runs) if run.start < run.end]
        starts = [start for _run, start, _end in lasted[1:]]
        return [(run, start, min(end, *starts[place : place + 1], end)) for place, (run, start, end) in enumerate(lasted)]


@st.composite
def histories(draw: st.DrawFn) -> History:
    runs, at = [], 0
    for _ in range(draw(st.integers(1, 3))):
        start = at + draw(st.sampled_from([0, 1, 60, 1800]))
        end = start + draw(LENGTHS)
        concluded = draw(st.one_of(st.none(), st.integers(-300, 300)))
        noise = tuple(draw(st.lists(st.integers(0, max(0, end - start)), max_size=2)))
        runs.append(Run(start, end, None if concluded is None else max(start, end + concluded), noise))
        # The next may begin before this one is seen to end.
        at = max(start + 1, end + draw(st.sampled_from([-600, -1, 0, 1, 900])))
    discount = draw(SECONDS)
    zone = draw(st.sampled_from(ZONES))
    midnights = [datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC) for day in DAYS]
    return History(
        zone=zone,
        base=draw(st.sampled_from(midnights) | st.sampled_from(EDGES)) + timedelta(seconds=draw(SECONDS)),
        runs=tuple(runs),
        quantity=draw(st.sampled_from([125, 250, 333, 1000, 8000])),
        raised_at=draw(SECONDS),
        discount_at=discount,
        discount_ends=discount + draw(LENGTHS) + 1,
        handed_over_at=draw(SECONDS),
        tagged_at=draw(SECONDS),
    )


def books_of(pure: SimpleNamespace, history: History) -> Books:
    """Empty books with the history's prices, and what changed hands."""
    raised, own = history.at(history.raised_at), history.at(history.discount_at)
    books = Books(
        pure,
        history.zone,
        [
            {"id": 1, "per_hour": "2.500000000", "ends_at": raised},
            {"id": 2, "per_hour": "3.000000001", "starts_at": raised},
            {"id": 3, "per_hour": "1.999999999", "tenant_id": 1, "starts_at": own, "ends_at": history.at(history.discount_ends)},
            {"id": 4, "per_hour": "0.010000000", "tenant_id": 2},
        ],
    )
    books.handovers.append(pure.metering.OwnerChange(history.at(history.handed_over_at), from_owner_id=1, to_owner_id=2))
    books.tag_changes.append(pure.metering.TagChange(history.at(history.tagged_at), from_tag="", to_tag="spring"))
    return books


def facts_of(history: History) -> list[Callable[[Books], None]]:
    """Every fact, as something to be written in any order."""
    facts: list[Callable[[Books], None]] = []

    def fact(kind: str, run: str, seconds: int, source: str = "cluster") -> None:
        fields = {"run_id": run, "source": source, "observed_at": history.at(86_400), "quantity_milli": history.quantity}
        facts.append(lambda books: books.note(kind, history.at(seconds), **fields))

    for number, run in enumerate(history.runs):
        name = f"run{number}"
        fact("ready", name, run.start)
        fact("ended", name, run.end)
        fact("started", name, run.start - 45)
        fact("ready", name, run.start - 7, "reconcile")
        if run.concluded is not None:
            fact("ended", name, run.concluded, "reconcile")
        for seconds in run.noise:
            fact("seen", name, run.start + seconds)
    return facts


def counted(history: History) -> Counter[tuple[Any, ...]]:
    """How many seconds there are of each price, day, hour, owner and tag: one by one, without any slicing."""
    zone, seconds = ZoneInfo(history.zone), Counter[tuple[Any, ...]]()
    for run, start, end in history.spans:
        for second in range(start, end):
            at = history.at(second)
            listed = 1 if second < history.raised_at else 2
            price = 3 if history.discount_at <= second < history.discount_ends else listed
            owner = 1 if second < history.handed_over_at else 2
            tag = "" if second < history.tagged_at else "spring"
            seconds[run, price, listed, at.astimezone(zone).date(), at.timestamp() // 3600, owner, tag] += 1
    return seconds


LISTED = {1: Fraction("2.5"), 2: Fraction("3.000000001")}
ASKED = LISTED | {3: Fraction("1.999999999")}


def law_of_seconds(pure: SimpleNamespace, history: History) -> None:
    """I2, I8, I9, I14: every second is charged once, in its cell, at its price; every amount is rounded once, to the nearest."""
    books = books_of(pure, history)
    for fact in facts_of(history):
        fact(books)
    books.settle(history.end)
    found: Counter[tuple[Any, ...]] = Counter()
    listed_by_amount = {amount: number for number, amount in LISTED.items()}
    for row in books.standing():
        listed = listed_by_amount[Fraction(row.list_per_hour)]
        hour = row.starts_at.timestamp() // 3600
        assert hour == (row.ends_at - timedelta(seconds=1)).timestamp() // 3600
        assert 0 < row.seconds <= (row.ends_at - row.starts_at).total_seconds()
        assert row.quantity_milli == history.quantity
        assert row.amount == _nearest(ASKED[row.price_id], row)
        assert row.list_amount == _nearest(LISTED[listed], row)
        assert pure.periods.Month.of(row.day) == books.calendar.month_of(row.starts_at)
        found[row.run_id, row.price_id, listed, row.day, hour, row.owner_id, row.tag] += row.seconds
    assert found == counted(history)


def _nearest(per_hour: Fraction, row: Any) -> Any:
    exact = per_hour * row.quantity_milli * row.seconds / 3_600_000
    return type(row.amount)(round(exact * 10**9)).scaleb(-9)  # Python rounds a fraction half to even


def law_of_order(pure: SimpleNamespace, history: History, chance: Any) -> None:
    """I5, I6, I10: in any order, with any repeats, settled at any moments, the books end up the same, and stay so."""
    straight, trickled = books_of(pure, history), books_of(pure, history)
    facts = facts_of(history)
    for fact in facts:
        fact(straight)
    straight.settle(history.end)
    arriving = facts + chance.sample(facts, k=len(facts) // 2)
    chance.shuffle(arriving)
    for fact in arriving:
        fact(trickled)
        if chance.random() < 0.5:
            trickled.settle(history.at(chance.randrange(-3600, 30_000)))
    trickled.settle(history.end)
    assert trickled.net() == straight.net()
    assert trickled.settle(history.end) == 0
    assert len({(row.line_key, row.revision, row.kind) for row in trickled.rows}) == len(trickled.rows)
    standing = {row.line_key: (row.seconds, row.amount, row.list_amount) for row in trickled.standing()}
    assert standing == trickled.net()
    for row in trickled.rows:
        assert (row.kind == "reversal") == (row.seconds < 0)
        assert (row.kind == "original") == (row.revision == 0)


def law_of_closing(pure: SimpleNamespace, history: History, chance: Any) -> None:
    """I11, I12: what is closed stays as it is; what comes later is a correction in the next month, and the sum is right."""
    full, closing = books_of(pure, history), books_of(pure, history)
    facts = facts_of(history)
    for fact in facts:
        fact(full)
    full.settle(history.end)
    late = chance.sample(facts, k=max(1, len(facts) // 3))
    for fact in facts:
        if fact not in late:
            fact(closing)
    closing.settle(history.at(30_000))
    month = closing.calendar.month_of(history.base)
    before = closing.posted_in(month)
    digest = closing.close(month)
    for fact in late:
        fact(closing)
    closing.settle(history.end)
    assert closing.posted_in(month) == before
    assert closing.digest(month) == digest
    assert closing.net() == full.net()
    assert closing.settle(history.end) == 0
    for row in closing.rows:
        own = pure.periods.Month.of(row.day)
        assert row.is_correction == (row not in closing.posted_in(own))
        assert not row.is_correction or own == month


VOLUME_SIZES = st.lists(st.tuples(SECONDS.map(abs), st.sampled_from([1, 100, 200])), max_size=4)


def law_of_storage(pure: SimpleNamespace, zone: str, base: datetime, length: int, sizes: list[tuple[int, int]]) -> None:
    """I16: a volume is charged for every second that it is there, in the size that it has then, by day."""
    books = Books(pure, zone, [{"id": 9, "per_hour": "0.000137", "gpu_class_id": None}])
    books.note_volume("provisioned", base)
    for seconds, size in sizes:
        books.note_volume("changed", base + timedelta(seconds=seconds), size_gib=size, observed_at=base + timedelta(days=9))
    books.note_volume("gone", base + timedelta(seconds=length))
    books.settle(base + timedelta(days=9))
    # The last word of a second counts; of two words the larger size, as facts are sorted.
    steps = sorted({0: 100, **{seconds: max(s for at, s in sizes if at == seconds) for seconds, _ in sizes}}.items())
    expected: Counter[tuple[Any, int]] = Counter()
    for second in range(length):
        size = [size for at, size in steps if at <= second][-1]
        day = (base + timedelta(seconds=second)).astimezone(ZoneInfo(zone)).date()
        expected[day, size * 1000] += 1
    found: Counter[tuple[Any, int]] = Counter()
    for row in books.standing():
        found[row.day, row.quantity_milli] += row.seconds
        assert row.amount == _nearest(Fraction("0.000137"), row)
    assert found == expected
    assert len(books.standing()) == len(expected)
    assert base > BEGINNING.replace(tzinfo=UTC)
