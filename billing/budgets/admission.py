"""Whether budgets leave room for a run: asked by engines before anything runs (settings.RUN_CHECKS), and by pages beforehand.

A run is admitted if what is spent, and an hour of all that runs, starts and is stored, this run included, is within the amount.
That is decided under the account's lock, which whoever posts charges holds too.
"""

from collections.abc import Sequence

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.accounts import lock_accounts
from billing.budgets.standing import Standing, standings
from billing.errors import BudgetReached
from billing.models import Budget
from billing.money import Money
from engines.admission import Run
from tenants import access
from tenants.access import Action
from tenants.models import Membership


def require_within_budgets(run: Run) -> None:
    """Refuse with BudgetReached a run for which a budget that blocks leaves no room."""
    covering = budgets_for(run)
    if not covering.exists():
        return
    lock_accounts([run.tenant.pk])
    now = timezone.now()
    found, rates = standings(run.tenant, covering.all(), now=now, besides=run.instance_id)
    full = first_full(found, rates.of_class(run.gpu_class))
    if full is not None:
        raise BudgetReached(refusal(full, run.by, rates.of_class(run.gpu_class)))


def budgets_for(run: Run) -> QuerySet[Budget]:
    """Return the budgets that block and count such a run."""
    counted = (
        Q(person=None) | Q(person=run.owner),
        Q(tag="") | Q(tag__iexact=run.tag),
        Q(gpu_class=None) | Q(gpu_class=run.gpu_class),
    )
    return Budget.objects.filter(*counted, tenant=run.tenant, active=True, action__in=Budget.BLOCKING)


def first_full(found: Sequence[Standing], more: Money) -> Standing | None:
    """Return the first without room for what costs so much more by the hour."""
    return next((each for each in found if not each.has_room_for(more)), None)


def refusal(full: Standing, reader: Membership, more: Money) -> str:
    """Say which budget it is, how much of it is used as far as the reader may know, and who can raise it."""
    budget = full.budget
    names = {
        "budget": budget.name,
        "spent": full.spent,
        "amount": budget.money,
        "next_hour": full.per_hour + more,
        "percent": full.used_percent,
        "tenant": full.budget.tenant,
    }
    if sees_amounts(reader, budget):
        which = _(
            "The budget “%(budget)s” leaves no room for this: %(spent)s of %(amount)s is spent, "
            "and the next hour would cost %(next_hour)s with it."
        )
    else:
        which = _("The budget “%(budget)s” leaves no room for this: %(percent)s %% of it is spent.")
    who = _("An owner, an admin or finance of %(tenant)s can raise it.")
    return f"{which % names} {who % names}"


def sees_amounts(reader: Membership, budget: Budget) -> bool:
    """Tell whether the member may know how much money it is about."""
    return budget.person_id == reader.user_id or access.may(reader, Action.SEE_COSTS)
