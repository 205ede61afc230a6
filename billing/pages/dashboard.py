"""The numbers of the overview: of the days asked for, of the last twelve months and of the last 31 days. From sums alone.

Every amount is what stands in the books and, beside it, what lasting usage has come to by now. Changes compare whole days that
are over with as many before them, so that neither the present day nor an estimate distorts them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Q
from django.utils.translation import gettext as _

from billing import charts, sums
from billing.accrual import Accrued
from billing.allocation import ZERO, Allocation, allocate, lasting
from billing.budgets.standing import Standing
from billing.calendars import Calendar
from billing.dimensions import NOT_IN_MONTHS, OF_SUMS, all_of
from billing.forecast import Forecast
from billing.hindsight import Hindsight
from billing.models import Charge, Meter
from billing.money import Money
from billing.pages.drawn import line_of_days, stacked_months
from billing.pages.figures import Figures, booked, estimated, percent
from billing.pages.labels import Labels
from billing.pages.outlook import budgets_about, daily_limit, fullest, is_of_this_month, month_ahead, months_tried
from billing.pages.own import Own, own
from billing.pages.reasons import Reason, reasons
from billing.pages.wanted import Wanted, last_months, preceding, until_yesterday
from billing.periods import Month
from billing.queries import scope_of, visible_to
from billing.windows import Window, parse
from tenants.models import Membership

ROWS = 100
"""Rows of the table, at most; the rest is one row together."""


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
    reasons: list[Reason]
    months: charts.Columns
    days: charts.Line
    forecast: Forecast | None
    hindsight: Hindsight | None
    budget: Standing | None
    own: Own | None  # of who sees their own costs alone, where the page is about all of the present month
    has_unpriced: bool
    is_empty: bool


def dashboard(membership: Membership, wanted: Wanted, calendar: Calendar, *, now: datetime) -> Dashboard:
    """Work all of it out, for what the member may see; within one snapshot of the caller's.

    Some twenty queries, whatever there is in the books, and a few for each budget that is about all of it; none on the charges.
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
    columns = stacked_months(scope, wanted, calendar, months, live, labels)
    budgets = budgets_about(membership, wanted, calendar, now)
    line = line_of_days(scope, wanted, calendar, days, live, daily_limit(budgets))
    return Dashboard(
        as_of=now,
        total=total,
        today=line.points[-1].amount,
        rows=rows[:ROWS],
        rest=_rest(rows[ROWS:], total, wanted),
        corrections=_corrections(scope, wanted, calendar, now),
        compared=(over, preceding(over)) if over else None,
        reasons=reasons(scope, wanted, calendar, over) if over and total.previous else [],
        months=columns,
        days=line,
        forecast=month_ahead(membership, wanted, calendar, now),
        hindsight=months_tried(membership, wanted, calendar, now),
        budget=fullest(budgets),
        own=_own(membership, wanted, calendar, now, budgets),
        has_unpriced=_has_unpriced(membership),
        is_empty=not rows and not any(column.total for column in columns.columns),
    )


def _own(membership: Membership, wanted: Wanted, calendar: Calendar, now: datetime, budgets: list[Standing]) -> Own | None:
    if not wanted.is_own or not is_of_this_month(wanted, calendar, now):
        return None
    return own(membership, calendar, now=now, budgets=budgets)


def _table(scope: Q, wanted: Wanted, calendar: Calendar, today: Window, live: Sequence[Accrued]) -> dict[str, Figures]:
    """Add up by what the table is divided by: the days that are over, those from today on, and those to compare with."""
    found: dict[str, Figures] = {}
    over = until_yesterday(wanted.window, today)
    if over:
        for allocation in _allocations(scope, wanted, calendar, over, live):
            figures = _into(found, allocation, wanted)
            figures.before += booked(allocation, wanted)
        for allocation in _allocations(scope, wanted, calendar, preceding(over), ()):
            found.setdefault(allocation.key[0], Figures(wanted.currency)).previous += booked(allocation, wanted)
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
    figures.booked += booked(allocation, wanted)
    figures.estimated_amount += estimated(allocation, wanted)
    figures.gpu_amount += gpu.list_amount if wanted.at_list_prices else gpu.amount
    figures.gpu_milli_unit_seconds += gpu.milli_unit_seconds
    return figures


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
    return percent(figures.amount.amount, total.amount.amount) if total.amount.amount > 0 else None


def _corrections(scope: Q, wanted: Wanted, calendar: Calendar, now: datetime) -> Money:
    """Return what the present month had to put right of closed ones, whatever days are asked for."""
    month, beginning = calendar.month_of(now), Month(2000, 1)
    rows = scope & all_of(wanted.conditions, OF_SUMS) & Q(currency=wanted.currency, period__month=month.first_day)
    if {condition.name for condition in wanted.conditions} & NOT_IN_MONTHS:
        found = sums.by_day(rows, beginning.first_day, month.preceding.last_day)
    else:
        found = sums.by_month(rows, beginning, month.preceding)
    amounts = (total.list_amount if wanted.at_list_prices else total.amount for total in found)
    return Money(sum(amounts, ZERO), wanted.currency)


def _has_unpriced(membership: Membership) -> bool:
    """Tell whether there is time of the present owners' that could not be charged yet."""
    owner_id = scope_of(membership)
    meters = Meter.objects.filter(instance__tenant=membership.tenant_id, unpriced_from__isnull=False)
    return (meters if owner_id is None else meters.filter(instance__owner=owner_id)).exists()
