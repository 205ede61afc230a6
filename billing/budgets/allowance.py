"""What budgets leave one person to spend, as hours of each GPU class that they could run: for pages, without locks.

    hours = what is left ÷ the price of an hour now, rounded down

A run is refused by any budget that blocks and counts it: the person's own, the team's, its project's, its GPU class's. So the
tightest of those that count every run is told, each project's that leaves still less, and of a class its own where that does.
Where admission would refuse a run, there are no hours of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from django.db.models import Q

from billing.budgets.admission import sees_amounts
from billing.budgets.queries import visible_budgets
from billing.budgets.standing import HUNDRED, Rates, Standing, standings
from billing.models import Budget
from billing.money import Money
from engines.models import GpuClass
from engines.queries.launching import offered_classes
from tenants.models import Membership

_TENTHS_BELOW = 100


@dataclass(frozen=True, slots=True)
class ClassHours:
    """Hours of a class that can be paid for; `budget` is the class's own where that is what binds, else None."""

    gpu_class: GpuClass
    hours: Decimal
    budget: Budget | None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the budget of `standing` leaves; `shows_amounts` tells whether the person may know how much money that is.

    `hours` are of what admission would let start, the dearest class first. `has_room` is False if that is nothing, though there
    are classes on offer that have a price.
    """

    standing: Standing
    shows_amounts: bool
    hours: Sequence[ClassHours]
    has_room: bool

    @property
    def left_percent(self) -> int:
        """In whole per cent."""
        return max(HUNDRED - self.standing.used_percent, 0)


def allowances(membership: Membership, *, now: datetime, known: Iterable[Standing] = ()) -> list[Allowance]:
    """Return what is left for the member, no project's first; empty where no budget binds them.

    One query, and where there are budgets four more and seven at most for each that is not `known` (see `standings`).
    """
    budgets = list(_binding(membership))
    if not budgets:
        return []
    found, rates = standings(membership.tenant, budgets, now=now, known=known)
    of_all = [each for each in found if each.budget.scope in (Budget.Scope.TENANT, Budget.Scope.PERSON)]
    of_classes = [each for each in found if each.budget.scope == Budget.Scope.GPU_CLASS]
    of_projects = [each for each in found if each.budget.scope == Budget.Scope.PROJECT]
    offer = _Offer(membership, rates, offered_classes())
    tightest = min(of_all, key=_left, default=None)
    if tightest is None:
        lines = [offer.line(each, [each], each.budget.gpu_class) for each in of_classes]
    else:
        lines = [offer.line(tightest, [*of_all, *of_classes])]
    tighter = (each for each in of_projects if tightest is None or _left(each) < _left(tightest))
    return lines + [offer.line(each, [each, *of_all, *of_classes]) for each in tighter]


@dataclass(frozen=True, slots=True)
class _Offer:
    """What the member could launch, and what it costs."""

    membership: Membership
    rates: Rates
    classes: Sequence[GpuClass]

    def line(self, told: Standing, counting: Sequence[Standing], only: GpuClass | None = None) -> Allowance:
        """Tell of one budget, given all that would be asked."""
        classes = [each for each in self._by_price() if only in (None, each)]
        hours = [found for each in classes if (found := self._hours(each, told, counting))]
        has_room = bool(hours) or not (classes or told.is_used_up)
        return Allowance(told, sees_amounts(self.membership, told.budget), hours, has_room)

    def _by_price(self) -> list[GpuClass]:
        priced = [each for each in self.classes if self.rates.of_class(each)]
        return sorted(priced, key=lambda each: (-self.rates.of_class(each).amount, each.name))

    def _hours(self, gpu_class: GpuClass, told: Standing, counting: Iterable[Standing]) -> ClassHours | None:
        price = self.rates.of_class(gpu_class)
        asked = [each for each in counting if each.budget.gpu_class_id in (None, gpu_class.pk)]
        if not all(each.has_room_for(price) for each in asked):
            return None
        least = min(asked, key=_left)
        own = least.budget if least.budget.gpu_class_id and least.budget != told.budget else None
        return ClassHours(gpu_class, _floor(least.left, price), own)


def _binding(membership: Membership) -> Iterable[Budget]:
    """Return the budgets that can refuse a run of the member's own."""
    theirs = Q(person=None) | Q(person=membership.user_id)
    return visible_budgets(membership).filter(theirs, active=True, action__in=Budget.BLOCKING)


def _left(standing: Standing) -> Decimal:
    return standing.left.amount


def _floor(left: Money, price: Money) -> Decimal:
    """Return hours: tenths of few, whole ones of many."""
    hours = left.amount / price.amount
    return hours.quantize(Decimal(1) if hours >= _TENTHS_BELOW else Decimal("0.1"), ROUND_FLOOR)
