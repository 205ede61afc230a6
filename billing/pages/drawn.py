"""The charts of the overview: twelve months stacked, and a line through 31 days."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from django.db.models import Q
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing import charts
from billing.accrual import Accrued
from billing.allocation import ZERO, Part, allocate
from billing.calendars import Calendar
from billing.money import Money, round_half_even
from billing.pages.figures import booked, estimated
from billing.pages.labels import Labels
from billing.pages.wanted import Wanted, days_of
from billing.unusual import Usual, usual
from billing.windows import Window


def stacked_months(
    scope: Q, wanted: Wanted, calendar: Calendar, window: Window, live: Sequence[Accrued], labels: Labels
) -> charts.Columns:
    """Stack what the months came to; beyond what can be told apart, everything together."""
    parts = allocate(scope, wanted.asked(window, wanted.stack, step="1mo"), calendar, live=live)
    totals: dict[str, Decimal] = {}
    for part in parts:
        for allocation in part.allocations:
            totals[allocation.key[0]] = totals.get(allocation.key[0], ZERO) + booked(allocation, wanted)
    keys = sorted(totals, key=lambda key: (-abs(totals[key]), key))
    shown = keys if len(keys) <= charts.SERIES else keys[: charts.SERIES - 1]
    names = labels.of(wanted.stack, shown)
    groups = []
    for part in parts:
        amount_of = {allocation.key[0]: booked(allocation, wanted) for allocation in part.allocations}
        amounts = [amount_of.pop(key, ZERO) for key in shown]
        others = [sum(amount_of.values(), ZERO)] if len(keys) > len(shown) else []
        groups.append(_group(part, (*amounts, *others), wanted))
    titles = [*(names[key] for key in shown), *([_("All others")] if len(keys) > len(shown) else [])]
    return charts.columns("months", titles, groups, wanted.currency)


def line_of_days(
    scope: Q, wanted: Wanted, calendar: Calendar, window: Window, live: Sequence[Accrued], budget: Money | None
) -> charts.Line:
    """Draw what each day up to today came to, and across it what a budget leaves for one; days that are over may be unusual."""
    parts = allocate(scope, wanted.asked(window, step="1d"), calendar, live=live)
    *over, today = [_group(part, (sum((booked(each, wanted) for each in part.allocations), ZERO),), wanted) for part in parts]
    found = usual([group.total for group in over])
    if found is not None:
        over = [group if found.has(group.total) else replace(group, mark=_mark(group.total, found, wanted)) for group in over]
    return charts.line("days", [*over, today], wanted.currency, limit=budget)


def _mark(amount: Decimal, found: Usual, wanted: Wanted) -> str:
    times = found.times(amount)
    if times:
        return _("unusual: %(times)s × the usual day") % {"times": times}
    return _("unusual: a usual day is %(amount)s") % {"amount": Money(round_half_even(found.amount), wanted.currency)}


def _group(part: Part, amounts: tuple[Decimal, ...], wanted: Wanted) -> charts.Group:
    first, is_day = part.window.first, part.window.length == 1
    return charts.Group(
        label=str(first.day) if is_day else date_format(first, "M"),
        title=date_format(first, "DATE_FORMAT" if is_day else "YEAR_MONTH_FORMAT"),
        address=wanted.address(window=days_of(part.window)),
        amounts=amounts,
        estimated=sum((estimated(each, wanted) for each in part.allocations), ZERO),
    )
