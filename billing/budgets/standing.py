"""How a budget stands: what is spent of it in its present period, and how long the rest lasts.

What counts is what the books say and what lasts is estimated at, both of its scope alone, in its own currency.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, Q

from billing.accounts import calendar_of
from billing.calendars import Calendar
from billing.forecast import Forecast, forecast
from billing.models import Budget
from billing.money import Money, round_half_even
from billing.queries import of_share, prices_in_force
from billing.spans import Span, span_at
from engines.models import GpuClass, Instance
from tenants.models import Tenant

HUNDRED, NEAR = 100, 80
MINIMUM_HOURS = 1
"""For so long there has to be room for whatever runs and starts, so that nothing starts that would have to end at once."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget in its present period. `per_hour`: what runs, starts, waits for a GPU and is stored on it, all together."""

    budget: Budget
    span: Span
    forecast: Forecast
    per_hour: Money

    @property
    def spent(self) -> Money:
        return self.forecast.spent

    @property
    def left(self) -> Money:
        """What may still be spent; below zero where more was."""
        return self.budget.money - self.spent

    @property
    def is_used_up(self) -> bool:
        return self.spent.amount >= self.budget.amount

    @property
    def reached(self) -> Money:
        """What its thresholds are about."""
        return self.spent if self.budget.basis == Budget.Basis.ACTUAL else self.forecast.likely

    @property
    def used_percent(self) -> int:
        """In whole per cent, rounded down: 100 is used up."""
        return percent_of(self.spent.amount, self.budget.amount)

    @property
    def likely_percent(self) -> int:
        return percent_of(self.forecast.likely.amount, self.budget.amount)

    @property
    def bar_value(self) -> int:
        """For a bar that ends at 100."""
        return min(max(self.used_percent, 0), HUNDRED)

    @property
    def is_near(self) -> bool:
        """Whether it is worth a colour: nearly used up, or probably used up by the end."""
        return self.used_percent >= NEAR or self.likely_percent >= HUNDRED

    def has_room_for(self, more: Money) -> bool:
        """Tell whether all that costs so much by the hour, and so much `more`, can go on for the least time."""
        committed = self.per_hour + more
        return self.spent.amount + committed.amount * MINIMUM_HOURS <= self.budget.amount

    def hours_left(self, more: Money) -> Decimal | None:
        """Return for how long the rest lasts if all goes on and so much `more` by the hour begins; None: for ever."""
        per_hour = self.per_hour + more
        if not per_hour:
            return None
        return max(round_half_even(self.left.amount / per_hour.amount, 1), Decimal(0))


def percent_of(part: Decimal, whole: Decimal) -> int:
    """Return whole per cent, rounded down."""
    return int(part * HUNDRED // whole)


@dataclass(frozen=True, slots=True)
class Rates:
    """What an hour of an instance costs a tenant, by GPU class: its price, of as much of a GPU as is billed."""

    prices: dict[int, Money]
    currency: str

    @classmethod
    def of(cls, tenant: Tenant, calendar: Calendar, now: datetime) -> "Rates":
        """Read them; two queries."""
        return cls(prices_in_force(tenant, at=now), calendar.currency_at(now))

    def of_class(self, gpu_class: GpuClass) -> Money:
        """Return what an hour of an instance of the class costs; nothing where no price is set."""
        return of_share(self.prices.get(gpu_class.pk), gpu_class) or Money.zero(self.currency)


def standings(
    tenant: Tenant,
    budgets: Iterable[Budget],
    *,
    now: datetime,
    besides: UUID | None = None,
    known: Iterable[Standing] = (),
) -> tuple[list[Standing], Rates]:
    """Return how these budgets of the tenant stand, and the rates by which that was found.

    Left out are budgets in another currency than the account's present one, which nothing is charged in. `besides`: an instance
    that is not counted among what runs. `known`: standings of the same moment, which are not worked out again. Three
    queries, and seven at most for each other budget.
    """
    calendar = calendar_of(tenant)
    rates = Rates.of(tenant, calendar, now)
    found = {each.budget: each for each in known}
    present = in_force(budgets, rates.currency)
    return [found.get(each) or _standing(each, calendar, rates, now, besides) for each in present], rates


def in_force(budgets: Iterable[Budget], currency: str) -> Sequence[Budget]:
    """Return those in this currency."""
    return [each for each in budgets if each.currency == currency]


def _standing(budget: Budget, calendar: Calendar, rates: Rates, now: datetime, besides: UUID | None) -> Standing:
    span = span_at(calendar, budget.recurrence, now)
    found = forecast(budget.covered, calendar, now, span=span)
    return Standing(budget, span, found, found.stored_per_hour + _running(budget.covered, rates, besides))


def _running(scope: Q, rates: Rates, besides: UUID | None) -> Money:
    """What runs, starts or waits for a GPU costs by the hour."""
    counted = Instance.objects.counted().filter(scope).order_by()
    if besides is not None:
        counted = counted.exclude(pk=besides)
    numbers = dict(counted.values_list("gpu_class").annotate(Count("pk")))
    classes = GpuClass.objects.filter(pk__in=numbers)
    amounts = (Money(rates.of_class(each).amount * numbers[each.pk], rates.currency) for each in classes)
    return Money.sum(amounts, rates.currency)
