"""The numbers of the overview: of the days asked for, of the last twelve months and of the last 31 days. From sums alone.

Every amount is what stands in the books and, beside it, what lasting usage has come to by now. Changes compare whole days that
are over with as many before them, so that neither the present day nor an estimate distorts them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from django.db.models import Q
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing import charts, sums
from billing.accrual import Accrued
from billing.allocation import Allocation, allocate, lasting
from billing.calendars import Calendar
from billing.dimensions import NOT_IN_MONTHS, OF_SUMS, all_of
from billing.models import Charge, Meter
from billing.money import Money, round_half_even
from billing.pages.labels import Labels
from billing.pages.wanted import Wanted, days_of, last_months, preceding, until_yesterday
from billing.periods import Month
from billing.queries import scope_of, visible_to
from billing.sums import SECONDS_OF_UNIT_HOUR
from billing.windows import Window, parse
from tenants.models import Membership

ROWS = 100
"""Rows of the table, at most; the rest is one row together."""
_ZERO = Decimal(0)


@dataclass(slots=True)
class Figures:
    """What one thing came to; `before` and `previous` are of the days that are compared."""

    currency: str
    booked: Decimal = _ZERO
    estimated_amount: Decimal = _ZERO
    gpu_amount: Decimal = _ZERO
    gpu_milli_unit_seconds: int = 0
    before: Decimal = _ZERO
    previous: Decimal = _ZERO

    @property
    def amount(self) -> Money:
        """In the books and estimated, together."""
        return Money(self.booked + self.estimated_amount, self.currency)

    @property
    def estimated(self) -> Money:
        return Money(self.estimated_amount, self.currency)

    @property
    def previous_money(self) -> Money:
        return Money(self.previous, self.currency)

    @property
    def difference(self) -> Money:
        """How much more the days that are over cost than those before them."""
        return Money(self.before - self.previous, self.currency)

    @property
    def change(self) -> Decimal | None:
        """The same in percent with one decimal; None where there was nothing before."""
        return _percent(self.before - self.previous, self.previous) if self.previous > 0 else None

    @property
    def gpu_hours(self) -> Decimal:
        """GPU-hours that are in the books, with two decimals."""
        return round_half_even(Fraction(self.gpu_milli_unit_seconds, SECONDS_OF_UNIT_HOUR), 2)

    @property
    def gpu_hours_text(self) -> str:
        """The same for people: "2,727.14"."""
        return f"{self.gpu_hours:,}"

    @property
    def price_per_gpu_hour(self) -> Money | None:
        """What a GPU-hour came to on average; None without any."""
        if not self.gpu_milli_unit_seconds:
            return None
        return Money(
            round_half_even(Fraction(self.gpu_amount) * SECONDS_OF_UNIT_HOUR / self.gpu_milli_unit_seconds), self.currency
        )

    def add(self, other: "Figures") -> None:
        """Take in what something else came to."""
        self.booked += other.booked
        self.estimated_amount += other.estimated_amount
        self.gpu_amount += other.gpu_amount
        self.gpu_milli_unit_seconds += other.gpu_milli_unit_seconds
        self.before += other.before
        self.previous += other.previous


@dataclass(slots=True)
class Row:
    """One row of the table."""

    label: str
    figures: Figures
    share: Decimal | None  # percent of the total; None where that says nothing
    narrower: str  # address of the same page about this alone
    lines: str  # query of the lines behind the amount


@dataclass(frozen=True, slots=True)
class Dashboard:
    """All that the page says, of one moment."""

    as_of: datetime
    total: Figures
    today: Money
    rows: list[Row]
    rest: Row | None
    corrections: Money
    compared: tuple[Window, Window] | None  # the days that are over, and those that they are compared with
    months: charts.Columns
    days: charts.Line
    has_unpriced: bool
    is_empty: bool


def dashboard(
    membership: Membership, wanted: Wanted, calendar: Calendar, *, now: datetime, budget: Money | None = None
) -> Dashboard:
    """Work all of it out, for what the member may see; within one snapshot of the caller's. `budget` is what a day may cost.

    Thirteen queries at most, whatever there is in the books; none on the charges.
    """
    scope = visible_to(membership)
    today = parse("today", calendar, now)
    days, months = parse("31d", calendar, now), last_months(calendar, now)
    earliest = min(wanted.window.first, days.first, months.first)
    live = lasting(scope, wanted.asked(Window(earliest, today.last)), calendar, now)
    labels = Labels(membership)
    table = _table(scope, wanted, calendar, today, live)
    total = Figures(wanted.currency)
    for figures in table.values():
        total.add(figures)
    rows = _rows(table, total, wanted, labels)
    over = until_yesterday(wanted.window, today)
    columns = _months(scope, wanted, calendar, months, live, labels)
    line = _days(scope, wanted, calendar, days, live, budget)
    return Dashboard(
        as_of=now,
        total=total,
        today=line.points[-1].amount,
        rows=rows[:ROWS],
        rest=_rest(rows[ROWS:], total, wanted),
        corrections=_corrections(scope, wanted, calendar, now),
        compared=(over, preceding(over)) if over else None,
        months=columns,
        days=line,
        has_unpriced=_has_unpriced(membership),
        is_empty=not rows and not any(column.total for column in columns.columns),
    )


def _table(scope: Q, wanted: Wanted, calendar: Calendar, today: Window, live: Sequence[Accrued]) -> dict[str, Figures]:
    """Add up by what the table is divided by: the days that are over, those from today on, and those to compare with."""
    found: dict[str, Figures] = {}
    over = until_yesterday(wanted.window, today)
    if over:
        for allocation in _allocations(scope, wanted, calendar, over, live):
            figures = _into(found, allocation, wanted)
            figures.before += _booked(allocation, wanted)
        for allocation in _allocations(scope, wanted, calendar, preceding(over), ()):
            found.setdefault(allocation.key[0], Figures(wanted.currency)).previous += _booked(allocation, wanted)
    if wanted.window.last >= today.first:
        rest = Window(max(today.first, wanted.window.first), wanted.window.last)
        for allocation in _allocations(scope, wanted, calendar, rest, live):
            _into(found, allocation, wanted)
    return found


def _allocations(scope: Q, wanted: Wanted, calendar: Calendar, window: Window, live: Sequence[Accrued]) -> list[Allocation]:
    (part,) = allocate(scope, wanted.asked(window, wanted.by), calendar, live=live)
    return part.allocations


def _into(found: dict[str, Figures], allocation: Allocation, wanted: Wanted) -> Figures:
    figures = found.setdefault(allocation.key[0], Figures(wanted.currency))
    gpu = allocation.of(Charge.Category.GPU)
    figures.booked += _booked(allocation, wanted)
    figures.estimated_amount += _estimated(allocation, wanted)
    figures.gpu_amount += gpu.list_amount if wanted.at_list_prices else gpu.amount
    figures.gpu_milli_unit_seconds += gpu.milli_unit_seconds
    return figures


def _booked(allocation: Allocation, wanted: Wanted) -> Decimal:
    return allocation.list_amount if wanted.at_list_prices else allocation.amount


def _estimated(allocation: Allocation, wanted: Wanted) -> Decimal:
    return allocation.list_estimated if wanted.at_list_prices else allocation.estimated


def _rows(table: dict[str, Figures], total: Figures, wanted: Wanted, labels: Labels) -> list[Row]:
    """Return the rows, dearest first."""
    names = labels.of(wanted.by, table)
    rows = [
        Row(
            label=names[key],
            figures=figures,
            share=_share(figures, total),
            narrower=wanted.address(**wanted.about(wanted.by, key)),
            lines=wanted.address(by="", stack="", **wanted.about(wanted.by, key)),
        )
        for key, figures in table.items()
    ]
    return sorted(rows, key=lambda row: (-row.figures.amount.amount, row.label))


def _rest(rows: Iterable[Row], total: Figures, wanted: Wanted) -> Row | None:
    figures, count = Figures(wanted.currency), 0
    for row in rows:
        figures.add(row.figures)
        count += 1
    label = _("%(count)d others") % {"count": count}
    return Row(label, figures, _share(figures, total), narrower="", lines="") if count else None


def _share(figures: Figures, total: Figures) -> Decimal | None:
    return _percent(figures.amount.amount, total.amount.amount) if total.amount.amount > 0 else None


def _percent(part: Decimal, whole: Decimal) -> Decimal:
    return round_half_even(Fraction(part) * 100 / Fraction(whole), 1)


def _months(
    scope: Q, wanted: Wanted, calendar: Calendar, window: Window, live: Sequence[Accrued], labels: Labels
) -> charts.Columns:
    """Stack what the months came to; beyond what can be told apart, everything together."""
    parts = allocate(scope, wanted.asked(window, wanted.stack, step="1mo"), calendar, live=live)
    totals: dict[str, Decimal] = {}
    for part in parts:
        for allocation in part.allocations:
            totals[allocation.key[0]] = totals.get(allocation.key[0], _ZERO) + _booked(allocation, wanted)
    keys = sorted(totals, key=lambda key: (-abs(totals[key]), key))
    shown = keys if len(keys) <= charts.SERIES else keys[: charts.SERIES - 1]
    names = labels.of(wanted.stack, shown)
    groups = []
    for part in parts:
        booked = {allocation.key[0]: _booked(allocation, wanted) for allocation in part.allocations}
        amounts = [booked.pop(key, _ZERO) for key in shown]
        others = [sum(booked.values(), _ZERO)] if len(keys) > len(shown) else []
        groups.append(_group(part.window, (*amounts, *others), [_estimated(each, wanted) for each in part.allocations], wanted))
    titles = [*(names[key] for key in shown), *([_("All others")] if len(keys) > len(shown) else [])]
    return charts.columns("months", titles, groups, wanted.currency)


def _days(
    scope: Q, wanted: Wanted, calendar: Calendar, window: Window, live: Sequence[Accrued], budget: Money | None
) -> charts.Line:
    groups = []
    for part in allocate(scope, wanted.asked(window, step="1d"), calendar, live=live):
        booked = sum((_booked(each, wanted) for each in part.allocations), _ZERO)
        groups.append(_group(part.window, (booked,), [_estimated(each, wanted) for each in part.allocations], wanted))
    limit = budget if budget is not None and budget.currency == wanted.currency else None
    return charts.line("days", groups, wanted.currency, limit=limit)


def _group(window: Window, amounts: tuple[Decimal, ...], estimated: Iterable[Decimal], wanted: Wanted) -> charts.Group:
    is_day = window.length == 1
    return charts.Group(
        label=str(window.first.day) if is_day else date_format(window.first, "M"),
        title=date_format(window.first, "DATE_FORMAT" if is_day else "YEAR_MONTH_FORMAT"),
        address=wanted.address(window=days_of(window)),
        amounts=amounts,
        estimated=sum(estimated, _ZERO),
    )


def _corrections(scope: Q, wanted: Wanted, calendar: Calendar, now: datetime) -> Money:
    """Return what the present month had to put right of closed ones, whatever days are asked for."""
    month, beginning = calendar.month_of(now), Month(2000, 1)
    rows = scope & all_of(wanted.conditions, OF_SUMS) & Q(currency=wanted.currency, period__month=month.first_day)
    if {condition.name for condition in wanted.conditions} & NOT_IN_MONTHS:
        found = sums.by_day(rows, beginning.first_day, month.preceding.last_day)
    else:
        found = sums.by_month(rows, beginning, month.preceding)
    amounts = (total.list_amount if wanted.at_list_prices else total.amount for total in found)
    return Money(sum(amounts, _ZERO), wanted.currency)


def _has_unpriced(membership: Membership) -> bool:
    """Tell whether there is time of the present owners' that could not be charged yet."""
    owner_id = scope_of(membership)
    meters = Meter.objects.filter(instance__tenant=membership.tenant_id, unpriced_from__isnull=False)
    return (meters if owner_id is None else meters.filter(instance__owner=owner_id)).exists()
