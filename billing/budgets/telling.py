"""Whom budgets are told of: who may change them, who answers for what the tenant spends, and the person that one is about."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from billing.budgets.standing import Standing
from billing.models import BillingAccount, Budget
from engines.models import Instance
from tenants.access import Action, people_who_may
from tenants.models import User
from tenants.notifications.operations import notify

NAMED = 5
"""Names of engines that a sentence has; the rest is a number."""


def tell_reached(standing: Standing, threshold: int) -> None:
    """Tell that so many per cent are reached: of what is spent, or of what probably will be."""
    budget = standing.budget
    context: dict[str, object] = {"name": budget.name, "percent": threshold, "amount": str(budget.money)}
    if budget.basis == Budget.Basis.FORECAST:
        kind, more = "budget_forecast", {"likely": str(standing.forecast.likely), "ends_at": _iso(standing.span.ends_at)}
    else:
        kind, more = ("budget_used_up" if threshold >= 100 else "budget_threshold"), {"spent": str(standing.spent)}
    key = f"{budget.pk}:{standing.span.first}:{budget.basis}:{threshold}:{budget.amount.normalize()}"
    _tell(budget, kind, key, context | more)


def tell_pausing(budget: Budget, instances: Iterable[Instance], due_at: datetime) -> None:
    """Warn that these will be paused then, unless there is room by then."""
    context = {"name": budget.name, "engines": _names(instances), "pauses_at": _iso(due_at)}
    owners = [each.owner for each in instances]
    _tell(budget, "budget_pausing", f"{budget.pk}:{due_at:%Y%m%dT%H%M%S%f}", context, besides=owners)


def tell_paused(budget: Budget, instances: Iterable[Instance], at: datetime) -> None:
    """Tell that these are being paused."""
    owners = [each.owner for each in instances]
    context = {"name": budget.name, "engines": _names(instances)}
    _tell(budget, "budget_paused", f"{budget.pk}:{at:%Y%m%dT%H%M%S%f}", context, besides=owners)


def _tell(budget: Budget, kind: str, key: str, context: Mapping[str, object], *, besides: Iterable[User] = ()) -> None:
    people = [*people_who_may(Action.MANAGE_BUDGETS, tenant_id=budget.tenant_id), *besides]
    people += [person for person in (budget.person, _answers_for(budget)) if person is not None]
    notify(tenant=budget.tenant, kind=kind, recipients=people, key=key, context=context)


def _answers_for(budget: Budget) -> User | None:
    account = BillingAccount.objects.filter(pk=budget.tenant_id).select_related("budget_owner").first()
    return account.budget_owner if account else None


def _names(instances: Iterable[Instance]) -> str:
    names = [each.name for each in instances]
    return ", ".join(names[:NAMED]) + (f" + {len(names) - NAMED}" if len(names) > NAMED else "")


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
