"""Why some days cost more or less than those before them."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Q
from django.utils.translation import gettext as _

from billing.allocation import ZERO, Allocation, allocate
from billing.bridge import Used, bridge
from billing.calendars import Calendar
from billing.models import Charge
from billing.money import Money, minor_digits, round_half_even
from billing.pages.wanted import Wanted, preceding
from billing.windows import Window


@dataclass(frozen=True, slots=True)
class Reason:
    """A part of the difference between the days that are over and those before them."""

    label: str
    amount: Money


def reasons(scope: Q, wanted: Wanted, calendar: Calendar, over: Window) -> list[Reason]:
    """Tell apart why these days cost more or less than those before; what made no difference is left out."""
    found = []
    for window in (preceding(over), over):
        (part,) = allocate(scope, wanted.asked(window, "gpu_class"), calendar)
        found.append(part.allocations)
    before, after = found
    gpu = bridge(*({each.key[0]: _used(each, wanted) for each in side if each.key[0]} for side in found))
    parts = [
        (_("More or fewer GPU-hours"), gpu.volume),
        (_("Dearer or cheaper GPU classes"), gpu.mix),
        (_("Other prices"), gpu.price),
        *(
            (str(category.label), _of_category(after, category, wanted) - _of_category(before, category, wanted))
            for category in Charge.Category
            if category != Charge.Category.GPU
        ),
    ]
    return _told([Reason(label, Money(amount, wanted.currency)) for label, amount in parts], wanted.currency)


def _told(found: list[Reason], currency: str) -> list[Reason]:
    """Leave out what made no difference, and take together what is too small to be read: lines are rounded one by one."""
    large = [reason for reason in found if round_half_even(reason.amount.amount, minor_digits(currency))]
    small = Money.sum((reason.amount for reason in found if reason not in large), currency)
    return [*large, Reason(_("Rounding"), small)] if small else large


def _used(allocation: Allocation, wanted: Wanted) -> Used:
    portion = allocation.of(Charge.Category.GPU)
    return Used(portion.milli_unit_seconds, portion.list_amount if wanted.at_list_prices else portion.amount)


def _of_category(allocations: Iterable[Allocation], category: str, wanted: Wanted) -> Decimal:
    portions = [allocation.of(category) for allocation in allocations]
    return sum((each.list_amount if wanted.at_list_prices else each.amount for each in portions), ZERO)
