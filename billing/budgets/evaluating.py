"""Looking at every budget that is in force: who is to be told, and what is to be paused.

Level-triggered: each look compares what is with what was told already, under the lock of the budget's row, and writes both in one
transaction. It may be killed anywhere, repeated, and run beside itself.
"""

import logging
from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal

from django.db import DatabaseError, transaction

from billing.budgets import pausing, telling
from billing.budgets.standing import HUNDRED, Standing, standings
from billing.models import Budget, BudgetAlert

log = logging.getLogger(__name__)


def evaluate_all(*, now: datetime, tenant_id: int | None = None) -> int:
    """Look at all budgets in force, or at one tenant's; return how many alerts that made. One's trouble keeps no other."""
    budgets = Budget.objects.filter(active=True, tenant__deleted_at=None)
    if tenant_id is not None:
        budgets = budgets.filter(tenant=tenant_id)
    made = 0
    for pk in list(budgets.order_by("tenant_id", "pk").values_list("pk", flat=True)):
        try:
            made += evaluate(pk, now=now)
        except DatabaseError:
            log.exception("Budget %s could not be looked at; the next round tries again.", pk)
    return made


@transaction.atomic
def evaluate(budget_id: int, *, now: datetime) -> int:
    """Look at one; return how many alerts that made."""
    rows = Budget.objects.select_related("tenant", "person", "gpu_class", "made_by")
    budget = rows.select_for_update(no_key=True, of=("self",)).filter(pk=budget_id, active=True).first()
    if budget is None:
        return 0
    found, _rates = standings(budget.tenant, [budget], now=now)
    if not found:  # in a currency that the account does not have any more
        pausing.let_go(budget)
        return 0
    [standing] = found
    made = _alert(standing, now)
    pausing.follow(standing, now)
    return made


def _alert(standing: Standing, now: datetime) -> int:
    """Note every threshold that is crossed for the first time, and tell of the highest, unless a higher one was told of."""
    budget = standing.budget
    present = budget.alerts.filter(period_starts=standing.span.first, basis=budget.basis, amount=budget.amount)
    told = set(present.values_list("threshold", flat=True))
    fresh = newly_crossed(standing.reached.amount, budget.amount, budget.thresholds, told)
    BudgetAlert.objects.bulk_create(
        BudgetAlert(
            budget=budget,
            period_starts=standing.span.first,
            threshold=threshold,
            basis=budget.basis,
            amount=budget.amount,
            reached=standing.reached.amount,
            at=now,
        )
        for threshold in fresh
    )
    if fresh and fresh[-1] > max(told, default=0):
        telling.tell_reached(standing, fresh[-1])
    return len(fresh)


def newly_crossed(reached: Decimal, amount: Decimal, thresholds: Iterable[int], told: Collection[int]) -> list[int]:
    """Return the thresholds, in per cent, that are reached and were not told of, in their order. Pure."""
    return sorted(each for each in set(thresholds) if each not in told and reached * HUNDRED >= each * amount)
