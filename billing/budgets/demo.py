"""Budgets for the demo, as large as its history makes them believable: one with room, one nearly used up, one that is."""

from datetime import datetime
from decimal import Decimal

from django.db.models import Q

from billing.accounts import calendar_of
from billing.budgets.operations import Wanted, make_budget
from billing.forecast import forecast
from billing.models import Budget
from tenants import access
from tenants.models import Membership, Tenant, User

Action = Budget.Action


def make_budgets(tenant: Tenant, *, now: datetime) -> int:
    """Give the tenant three budgets, unless it has any; return how many that were."""
    if Budget.objects.filter(tenant=tenant).exists():
        return 0
    owner = Membership.objects.select_related("tenant", "user").filter(tenant=tenant, role="owner").earliest("pk")
    person = User.objects.filter(memberships__tenant=tenant, memberships__role="member").earliest("pk")
    wanted = [
        _wanted("The whole studio", tenant, Q(tenant=tenant), now, percent=62, action=Action.BLOCK),
        _wanted("Autumn film", tenant, Q(tenant=tenant, tag="Autumn film"), now, percent=88, tag="Autumn film"),
        _wanted(
            f"{person} may try things",
            tenant,
            Q(tenant=tenant, owner=person),
            now,
            percent=45,
            person=person,
            action=Action.BLOCK,
        ),
    ]
    for each in wanted:
        make_budget(by=access.membership_in(owner.user, tenant.slug), wanted=each)
    return len(wanted)


def _wanted(name: str, tenant: Tenant, scope: Q, now: datetime, *, percent: int, **fields: object) -> Wanted:
    """Return one of which so many per cent are spent now: a round amount, and not too small to launch anything."""
    spent = forecast(scope, calendar_of(tenant), now).spent.amount
    amount = max(Decimal(50), round(spent * 100 / percent, -1))
    return Wanted(name=name, amount=amount, **fields)  # type: ignore[arg-type]
