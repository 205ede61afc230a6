"""Pausing what runs on a budget that is used up, once its grace is over. Called with the budget's row locked.

As long as it is used up, what runs on it all the same, because it was handed over or got another project, is paused with the next
look. Room again, by a higher amount, a correction or the next period, takes everything back but what is paused already.
"""

from datetime import datetime, timedelta

from django.db.models import QuerySet

from billing.budgets import telling
from billing.budgets.standing import Standing
from billing.models import Budget, BudgetPause
from engines.models import Instance
from engines.reasons import Reason
from engines.wishes import stop_unasked
from tenants.audit.operations import Subject, record


def follow(standing: Standing, now: datetime) -> None:
    """Warn, pause, or take the warning back, whichever is due; the same again does nothing."""
    budget = standing.budget
    pause = BudgetPause.objects.filter(budget=budget).first()
    if budget.action != Budget.Action.PAUSE or not standing.is_used_up:
        let_go(budget)
    elif pause is None:
        _warn(budget, now)
    elif pause.due_at <= now:
        _pause(budget, pause, now)


def let_go(budget: Budget) -> None:
    """Take a pause that is to come back, if there is one."""
    BudgetPause.objects.filter(budget=budget).delete()


def _warn(budget: Budget, now: datetime) -> None:
    due_at = now + timedelta(minutes=budget.grace_minutes)
    BudgetPause.objects.create(budget=budget, begun_at=now, due_at=due_at)
    running = list(_running(budget).select_related("owner").order_by("name"))
    if running:
        telling.tell_pausing(budget, running, due_at)


def _pause(budget: Budget, pause: BudgetPause, now: datetime) -> None:
    stopped = stop_unasked(_running(budget).select_related("owner"), Reason.BUDGET_SPENT)
    if pause.paused_at is None:
        BudgetPause.objects.filter(pk=pause.pk).update(paused_at=now)
    if stopped:
        names = sorted(each.name for each in stopped)
        subject = Subject("budget", str(budget.pk), budget.name)
        record("budget.paused_engines", actor=None, tenant=budget.tenant, subject=subject, details={"engines": names})
        telling.tell_paused(budget, stopped, now)


def _running(budget: Budget) -> QuerySet[Instance]:
    return Instance.objects.counted().filter(budget.covered)
