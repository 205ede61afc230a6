"""Usage × prices × calendar -> lines of one cell, one price, one owner and one tag at most. Pure: when it is called is no matter.

A cell is a stretch of the grid: full hours (UTC) for GPU time, days for storage, both cut where a day of the account begins and
where a price begins or ends. Usage that is there twice in one cell, such as a volume that grew and shrank again, is one line.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

from billing.calendars import Calendar
from billing.metering import Usage, UsageKind
from billing.money import PLACES, Money, divide_half_even, units
from billing.periods import Month
from billing.pricebook import Applied, PriceBook, PriceSpan

HOUR = timedelta(hours=1)
_KEYS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:aigc-portal:billing:charge")


@dataclass(frozen=True, slots=True)
class Cell:
    """A stretch of usage that becomes a charge or a part of one; without a price it cannot be charged yet."""

    usage: Usage
    grid_start: datetime  # of the cell of the grid; never after `starts_at`
    starts_at: datetime
    ends_at: datetime
    applied: Applied | None

    @property
    def price(self) -> PriceSpan | None:
        """The price in force."""
        return None if self.applied is None else self.applied.price

    @property
    def seconds(self) -> int:
        return seconds_between(self.starts_at, self.ends_at)

    @property
    def quantity(self) -> Decimal:
        """Of how many units: GPUs or GiB."""
        return units(self.usage.quantity_milli)

    @property
    def unit_price(self) -> Money | None:
        """The price of one unit for an hour."""
        return None if self.price is None else Money(self.price.per_hour, self.price.currency)

    @property
    def cost(self) -> Money | None:
        """What this stretch costs; None without a price, never zero."""
        if self.price is None:
            return None
        return Money(amount_of(self.price.per_hour, self.seconds, self.usage.quantity_milli), self.price.currency)

    @property
    def list_cost(self) -> Money | None:
        """What it costs at the list price; None without a price."""
        if self.applied is None:
            return None
        amount = amount_of(self.applied.list_per_hour, self.seconds, self.usage.quantity_milli)
        return Money(amount, self.applied.price.currency)


@dataclass(slots=True)
class Line:
    """What the books should say about one cell: all there is of the same usage in it."""

    usage: Usage
    applied: Applied
    grid_start: datetime
    starts_at: datetime
    ends_at: datetime
    seconds: int
    day: date
    month: Month

    @property
    def amount(self) -> Decimal:
        """What is charged."""
        return amount_of(self.applied.price.per_hour, self.seconds, self.usage.quantity_milli)

    @property
    def list_amount(self) -> Decimal:
        """What it would be at the list price."""
        return amount_of(self.applied.list_per_hour, self.seconds, self.usage.quantity_milli)


def seconds_between(start: datetime, end: datetime) -> int:
    """Return whole seconds."""
    return (end - start) // timedelta(seconds=1)


def floor_hour(at: datetime) -> datetime:
    """Return the full hour (UTC) before or at this moment."""
    return at.replace(minute=0, second=0, microsecond=0)


@lru_cache(maxsize=100_000)
def amount_of(per_hour: Decimal, seconds: int, quantity_milli: int = 1000) -> Decimal:
    """Return what so many seconds of so many thousandths of a unit cost; rounded once, to nine decimals."""
    nano = int(per_hour.scaleb(PLACES))
    return Decimal(divide_half_even(nano * quantity_milli * seconds, 3_600_000)).scaleb(-PLACES)


def cells(usage: Usage, prices: PriceBook, calendar: Calendar, *, since: datetime, until: datetime) -> Iterator[Cell]:
    """Cut usage ∩ [since, until) by the grid; `since` is a bound of the grid."""
    start = max(usage.starts_at, since)
    end = until if usage.ends_at is None else min(usage.ends_at, until)
    if start >= end:
        return
    for begin, stop in pairwise([*_grid(usage, prices, calendar, start, end), end]):
        first = max(begin, start)
        yield Cell(usage, begin, first, stop, prices.at(usage, calendar.currency_at(first), first))


def _grid(usage: Usage, prices: PriceBook, calendar: Calendar, start: datetime, end: datetime) -> list[datetime]:
    """Return where cells begin that lie in [start, end), and where the one begins that `start` is in."""
    hourly = usage.kind != UsageKind.STORAGE
    low = floor_hour(start) if hourly else calendar.day_start(start)
    cuts = {low, *calendar.midnights(low, end)}
    hour = low + HOUR
    while hourly and hour < end:
        cuts.add(hour)
        hour += HOUR
    for currency in {calendar.currency_at(low), calendar.currency_at(end)}:
        cuts |= prices.changes(usage, currency, low, end)
    ordered = sorted(cuts)
    first = max(place for place, at in enumerate(ordered) if at <= start)
    return ordered[first:]


def lines(
    subject_id: uuid.UUID, found: Iterable[Cell], calendar: Calendar, unpriced: list[datetime] | None = None
) -> dict[uuid.UUID, Line]:
    """Put the cells of one instance or volume together to lines by their keys; moments without a price go to `unpriced`."""
    by_key: dict[uuid.UUID, Line] = {}
    for cell in found:
        if cell.applied is None:
            if unpriced is not None:
                unpriced.append(cell.starts_at)
            continue
        key = line_key(subject_id, cell)
        line = by_key.get(key)
        if line is None:
            day = calendar.day_of(cell.starts_at)
            by_key[key] = Line(
                cell.usage, cell.applied, cell.grid_start, cell.starts_at, cell.ends_at, cell.seconds, day, Month.of(day)
            )
        else:
            line.starts_at, line.ends_at = min(line.starts_at, cell.starts_at), max(line.ends_at, cell.ends_at)
            line.seconds += cell.seconds
    return by_key


def lines_within(
    subject_id: uuid.UUID,
    usage: Iterable[Usage],
    book: PriceBook,
    calendars: Mapping[int, Calendar],
    within: tuple[datetime, datetime],
    unpriced: list[datetime],
) -> dict[uuid.UUID, Line]:
    """Return the lines of all usage of one instance or volume, whoever's: what is over wholly, what lasts up to the end.

    `within`: from where on, a bound of the grid, and up to where what lasts is charged.
    """
    since, until = within
    by_tenant: dict[int, list[Usage]] = defaultdict(list)
    for piece in usage:
        by_tenant[piece.tenant_id].append(piece)
    wanted: dict[uuid.UUID, Line] = {}
    for tenant_id, pieces in by_tenant.items():
        calendar = calendars[tenant_id]
        found = (cell for each in pieces for cell in cells(each, book, calendar, since=since, until=each.ends_at or until))
        wanted |= lines(subject_id, found, calendar, unpriced)
    return wanted


def line_key(subject_id: uuid.UUID, cell: Cell) -> uuid.UUID:
    """Name a charge by what it is for: the same usage at the same price has the same key, whoever works it out."""
    usage, price = cell.usage, cell.price
    if price is None:
        raise ValueError("What has no price cannot be charged.")
    words = [subject_id, usage.run_id, usage.kind, f"{cell.grid_start:%Y-%m-%dT%H:%M:%SZ}", price.id]
    words += [usage.tenant_id, usage.owner_id]
    # Left out where they are as they always were before they were known, so that the keys of that time hold.
    if usage.quantity_milli != 1000:
        words.append(f"quantity={usage.quantity_milli}")
    if usage.tag:
        words.append(f"tag={usage.tag}")
    return uuid.uuid5(_KEYS, "|".join(map(str, words)))
