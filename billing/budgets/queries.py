"""Budgets as one member sees them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils.translation import gettext as _

from billing.budgets.admission import budgets_for, sees_amounts
from billing.budgets.standing import Standing, standings
from billing.models import Budget, BudgetAlert, BudgetPause
from billing.money import Money
from billing.queries import snapshot
from engines.admission import Run
from engines.models import Instance
from tenants import access
from tenants.access import Action
from tenants.errors import NotVisible
from tenants.models import Membership


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """A budget on a page. `standing` None: it is not in force, or in a currency that the account does not have any more."""

    budget: Budget
    standing: Standing | None
    shows_amounts: bool

    @property
    def hours_left(self) -> Decimal | None:
        """For how long the rest lasts if what runs now goes on; None for ever, and where nothing of it is known."""
        if self.standing is None:
            return None
        return self.standing.hours_left(Money.zero(self.budget.currency))

    @property
    def pause(self) -> BudgetPause | None:
        """The pause that is due or done, as it is read with the row."""
        return getattr(self.budget, "pause", None)

    @property
    def told(self) -> list[int]:
        """The thresholds that were reached in the present period, the lowest first."""
        if self.standing is None:
            return []
        budget, first = self.budget, self.standing.span.first
        of_now = (each for each in budget.alerts.all() if (each.period_starts, each.amount) == (first, budget.amount))
        return sorted(each.threshold for each in of_now if each.basis == budget.basis)


def visible_budgets(membership: Membership) -> QuerySet[Budget]:
    """Return the budgets that concern the member: all for who sees everybody's costs or changes budgets."""
    found = Budget.objects.filter(tenant=membership.tenant_id).select_related("tenant", "person", "gpu_class", "pause")
    if any(access.may(membership, action) for action in (Action.SEE_COSTS, Action.MANAGE_BUDGETS)):
        return found
    own = Instance.objects.filter(tenant=membership.tenant_id, owner=membership.user_id, tag__iexact=OuterRef("tag"))
    return found.filter(Q(person=membership.user_id) | Q(person=None) & (Q(tag="") | Exists(own)))


def budget_in(membership: Membership, pk: int) -> Budget:
    """Return one that the member sees; NotVisible for all others."""
    budget = visible_budgets(membership).filter(pk=pk).first()
    if budget is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    return budget


def budget_rows(membership: Membership, budgets: Iterable[Budget], *, now: datetime) -> list[BudgetRow]:
    """Return how they stand, the most used first and what is not in force last. Within one snapshot of the books."""
    with snapshot():
        found = list(budgets)
        standing_of = {each.budget.pk: each for each in standings(membership.tenant, _active(found), now=now)[0]}
    rows = [BudgetRow(each, standing_of.get(each.pk), sees_amounts(membership, each)) for each in found]
    return sorted(rows, key=_most_used_first)


def with_alerts(budgets: QuerySet[Budget]) -> QuerySet[Budget]:
    """Join what rows show of alerts."""
    return budgets.prefetch_related(Prefetch("alerts", BudgetAlert.objects.order_by("-at")))


def tightest_for(run: Run, more: Money, *, now: datetime) -> Standing | None:
    """Return the budget that would stop such a run first, if any would; for pages, without locks."""
    budgets = list(budgets_for(run))
    if not budgets:
        return None
    found, _rates = standings(run.tenant, budgets, now=now, besides=run.instance_id)
    lasting = [(each.hours_left(more), each) for each in found]
    return min((pair for pair in lasting if pair[0] is not None), key=lambda pair: pair[0] or 0, default=(None, None))[1]


def _active(budgets: Iterable[Budget]) -> list[Budget]:
    return [each for each in budgets if each.active]


def _most_used_first(row: BudgetRow) -> tuple[bool, Decimal, str]:
    if row.standing is None:
        return True, Decimal(0), row.budget.name
    return False, -row.standing.spent.amount / row.budget.amount, row.budget.name
