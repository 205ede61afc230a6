"""Prices and costs in templates. Money never loses its currency."""

from collections.abc import Collection
from uuid import UUID

from django import template
from django.template import Context
from django.utils import timezone

from billing import queries
from billing.money import Money
from billing.queries import InstanceCost
from engines.models import GpuClass, Instance
from tenants.models import Tenant

register = template.Library()


@register.simple_tag(takes_context=True)
def price_per_hour(context: Context, tenant: Tenant, gpu_class: GpuClass) -> Money | None:
    """Return what an hour of the class costs the tenant now, or None. One query per request, however many classes."""
    known = getattr(context.get("request"), "__dict__", {}).setdefault("prices_in_force", {})
    if tenant.pk not in known:
        known[tenant.pk] = queries.prices_in_force(tenant, at=timezone.now())
    prices: dict[int, Money] = known[tenant.pk]
    return prices.get(gpu_class.pk)


@register.simple_tag
def costs_of(instances: Collection[Instance]) -> dict[UUID, InstanceCost]:
    """Return the costs of all these instances at once, for the filter `cost_for`."""
    return queries.cost_of_instances([instance.pk for instance in instances], now=timezone.now())


@register.filter
def cost_for(costs: dict[UUID, InstanceCost], instance: Instance) -> InstanceCost:
    """Pick an instance's cost: `.today`, `.month`, `.total`, `.estimated` (Money) and `.has_unpriced`."""
    return costs.get(instance.pk) or InstanceCost.nothing()


@register.filter
def money(amount: Money | None) -> str:
    """Write "USD 0.36"; nothing known is a dash, never zero."""
    return "–" if amount is None else str(amount)


@register.filter
def exact(amount: Money | None) -> str:
    """Write every digit: for prices, and for amounts in the books."""
    return "–" if amount is None else amount.exact


@register.filter
def hours(seconds: int) -> str:
    """Write seconds as hours, minutes and seconds: "1:02:03"."""
    sign, rest = ("−", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{rest // 3600}:{rest // 60 % 60:02}:{rest % 60:02}"
