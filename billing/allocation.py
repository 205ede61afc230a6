"""What costs were made by whom and by what: sums over a window of whole days, divided as asked. One layer for pages and API.

From sums by day, or by month where those suffice; as of a moment in the past, from the charges. Estimates stand beside the
amounts of the books and are never part of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import BigIntegerField, Count, F, Q, QuerySet, Sum
from django.db.models.functions import Cast

from billing import sums
from billing.accrual import Accrued, accrued
from billing.calendars import Calendar
from billing.dimensions import NOT_IN_MONTHS, OF_SUMS, OF_USAGE, Conditions, all_of
from billing.models import Charge, UsageInterval
from billing.money import Money
from billing.periods import Month
from billing.sums import SECONDS_OF_UNIT_HOUR, Total
from billing.windows import Window, cut

Key = tuple[str, ...]
"""The values of the dimensions asked for, in their order; "" where there is none."""
ZERO = Decimal(0)
LIMIT = 20_000
"""Sums that one question may ask for, at most."""


class TooManySums(ValueError):
    """The question divides costs into more sums than anybody would read; a longer step or fewer dimensions make fewer."""


class SeveralCurrencies(ValueError):
    """The costs asked for are in several currencies, which do not add up; `currencies` are their codes."""

    def __init__(self, currencies: Iterable[str]) -> None:
        self.currencies = sorted(currencies)
        super().__init__(", ".join(self.currencies))


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: which days, divided by what and into which steps (see windows.STEPS), of which costs."""

    window: Window
    by: tuple[str, ...] = ()
    step: str = ""
    conditions: Conditions = ()
    currency: str = ""  # that of the costs; needed only where an account changed its own
    corrections: bool = False  # only what was posted in a later month than that of its day

    @property
    def is_of_months(self) -> bool:
        """Tell whether sums by month can answer it."""
        names = {*self.by, *(condition.name for condition in self.conditions)}
        return self.window.is_whole_months and self.step in {"", "1mo"} and not names & NOT_IN_MONTHS


@dataclass(slots=True)
class Portion:
    """What one category came to."""

    milli_unit_seconds: int = 0
    amount: Decimal = ZERO
    list_amount: Decimal = ZERO
    charge_count: int = 0

    @property
    def unit_hours(self) -> Decimal:
        """GPU-hours or GiB-hours, with twelve decimals."""
        return (Decimal(self.milli_unit_seconds) / SECONDS_OF_UNIT_HOUR).quantize(Decimal(10) ** -12)


@dataclass(slots=True)
class Allocation:
    """What costs with one key came to in one part of the window."""

    key: Key
    currency: str
    portions: dict[str, Portion] = field(default_factory=dict)
    estimated: Decimal = ZERO
    list_estimated: Decimal = ZERO

    def of(self, category: str) -> Portion:
        """Return the portion of a category, empty if there is none."""
        return self.portions.get(category) or Portion()

    @property
    def amount(self) -> Decimal:
        """What stands in the books."""
        return sum((portion.amount for portion in self.portions.values()), ZERO)

    @property
    def list_amount(self) -> Decimal:
        """The same at list prices."""
        return sum((portion.list_amount for portion in self.portions.values()), ZERO)

    @property
    def money(self) -> Money:
        """What stands in the books, with its currency."""
        return Money(self.amount, self.currency)


@dataclass(frozen=True, slots=True)
class Part:
    """One step of the window, or all of it; dearest first."""

    window: Window
    allocations: list[Allocation]


def allocate(
    scope: Q,
    asked: Asked,
    calendar: Calendar,
    *,
    as_of: datetime | None = None,
    live_at: datetime | None = None,
    live: Sequence[Accrued] = (),
) -> list[Part]:
    """Return the parts of the window in their order, those without costs too. One query; up to three more for estimates.

    `scope` is whose costs may be seen, in the fields that sums, charges and usage have in common. `as_of` reads what had been
    posted until then; `live_at` adds what lasts and is not charged at that moment, and so does `live`, for whoever has read it
    already (see `lasting`). Raises SeveralCurrencies and TooManySums.
    """
    table = _Table(asked, cut(asked.window, asked.step))
    totals = _totals(scope, asked, calendar, as_of)
    if len(totals) > LIMIT:
        raise TooManySums
    for total in totals:
        table.add(total)
    for running in live if live_at is None else lasting(scope, asked, calendar, live_at):
        table.estimate(running, calendar)
    return table.parts()


def charges(scope: Q, asked: Asked, calendar: Calendar) -> QuerySet[Charge]:
    """Return the lines of the books that the same question adds up, as a queryset of Charge."""
    start, end = asked.window.moments(calendar)
    of_days = Q(day__gte=asked.window.first, day__lte=asked.window.last, starts_at__gte=start, starts_at__lt=end)
    return Charge.objects.filter(scope, of_days, _filters(asked))


def _filters(asked: Asked, place: str = "day") -> Q:
    of_currency = Q(currency=asked.currency) if asked.currency else Q()
    of_later_periods = Q(period__month__gt=F(place)) if asked.corrections else Q()
    return all_of(asked.conditions, OF_SUMS) & of_currency & of_later_periods


def _totals(scope: Q, asked: Asked, calendar: Calendar, as_of: datetime | None) -> list[Total]:
    """Return sums by (place in time, category, dimensions asked for), the first without a step left out; one more than LIMIT at
    most. The place is a day, or a month's first."""
    columns = [OF_SUMS[name] for name in asked.by if name != "charge_category"]
    window, months = asked.window, asked.is_of_months and as_of is None
    by = (*((("month" if months else "day"),) if asked.step else ()), "category", *columns)
    if as_of is not None:
        return _posted_until(as_of, scope, asked, calendar, by)
    if months:
        first, last = Month.of(window.first), Month.of(window.last)
        return sums.by_month(scope & _filters(asked, "month"), first, last, by=by, limit=LIMIT + 1)
    return sums.by_day(scope & _filters(asked), window.first, window.last, by=by, limit=LIMIT + 1)


def _posted_until(at: datetime, scope: Q, asked: Asked, calendar: Calendar, by: tuple[str, ...]) -> list[Total]:
    rows = charges(scope, asked, calendar).filter(posted_at__lte=at).order_by().values_list(*by, "currency")
    found = rows.annotate(
        total_seconds=Sum("seconds"),
        milli_unit_seconds=Sum(Cast("seconds", BigIntegerField()) * F("quantity_milli")),
        total=Sum("amount"),
        list_total=Sum("list_amount"),
        count=Count("pk"),
    )
    return [Total(row[: len(by)], *row[len(by) :]) for row in found[: LIMIT + 1]]


def lasting(scope: Q, asked: Asked, calendar: Calendar, now: datetime) -> list[Accrued]:
    """Return what lasts and is not charged yet, of the window and the conditions asked for. Three queries at most."""
    if asked.corrections:  # which are charged
        return []
    since, until = asked.window.moments(calendar)
    rows = UsageInterval.objects.filter(scope, all_of(asked.conditions, OF_USAGE), starts_at__lt=until)
    rows = rows.select_related("tenant", "instance__engine_version__engine", "volume")
    return accrued(rows, now=now, since=since, until=until)


class _Table:
    """Sums as they come in, by part of the window and key."""

    def __init__(self, asked: Asked, windows: list[Window]) -> None:
        self._asked = asked
        self._windows = windows
        self._found: dict[Window, dict[Key, Allocation]] = {window: {} for window in windows}
        self._at = {window.first: window for window in windows}
        self._currencies: set[str] = set()

    def add(self, total: Total) -> None:
        """Take in a sum by (place in time, category, dimensions), or by all but the place."""
        place, category, *values = total.key if self._asked.step else (self._asked.window.first, *total.key)
        allocation = self._allocation(place, _key(self._asked.by, category, values), total.currency)
        portion = allocation.portions.setdefault(category, Portion())
        portion.milli_unit_seconds += total.milli_unit_seconds
        portion.amount += total.amount
        portion.list_amount += total.list_amount
        portion.charge_count += total.charge_count

    def estimate(self, running: Accrued, calendar: Calendar) -> None:
        """Take in what lasts, as far as it is of the window."""
        values, window = [_value(running.interval, OF_USAGE[name]) for name in self._asked.by], self._asked.window
        for cell in running.cells:
            cost, list_cost, day = cell.cost, cell.list_cost, calendar.day_of(cell.starts_at)
            if cost is None or list_cost is None or self._asked.currency not in {"", cost.currency}:
                continue
            if not window.first <= day <= window.last:
                continue
            allocation = self._allocation(day, tuple(values), cost.currency)
            allocation.estimated += cost.amount
            allocation.list_estimated += list_cost.amount

    def parts(self) -> list[Part]:
        """Return all of it in order."""
        return [Part(window, sorted(self._found[window].values(), key=_dearest_first)) for window in self._windows]

    def _allocation(self, place: date, key: Key, currency: str) -> Allocation:
        self._currencies.add(currency)
        if len(self._currencies) > 1:
            raise SeveralCurrencies(self._currencies)
        of_part = self._found[self._window_of(place)]
        return of_part.setdefault(key, Allocation(key, currency))

    def _window_of(self, place: date) -> Window:
        if place in self._at:
            return self._at[place]
        window = next(window for window in self._windows if window.first <= place <= window.last)
        self._at[place] = window
        return window


def _key(by: Iterable[str], category: str, values: Iterable[Any]) -> Key:
    rest = iter(values)
    return tuple(category if name == "charge_category" else next(rest) or "" for name in by)


def _value(interval: UsageInterval, path: str) -> str:
    value: Any = interval
    for name in path.split("__"):
        value = getattr(value, name, None)
    return value or ""


def _dearest_first(allocation: Allocation) -> tuple[Decimal, Key]:
    return -(allocation.amount + allocation.estimated), allocation.key
