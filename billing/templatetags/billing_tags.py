"""Prices and costs in templates. Money never loses its currency."""

from collections.abc import Collection
from uuid import UUID

from django import template
from django.template import Context
from django.utils import timezone

from billing import queries
from billing.money import Money
from billing.queries import InstanceCost
from billing.quoting import Planned, Quote
from billing.quoting import quote as quote_for
from engines.models import GpuClass, Instance
from engines.queries.choices import Choices
from tenants.models import Membership, Tenant

register = template.Library()


@register.simple_tag(takes_context=True)
def price_per_hour(context: Context, tenant: Tenant, gpu_class: GpuClass) -> Money | None:
    """Return what an hour of an instance of the class costs the tenant now, or None. Two queries per request, however many."""
    known = getattr(context.get("request"), "__dict__", {}).setdefault("prices_in_force", {})
    if tenant.pk not in known:
        known[tenant.pk] = queries.prices_in_force(tenant, at=timezone.now())
    return queries.of_share(known[tenant.pk].get(gpu_class.pk), gpu_class)


@register.simple_tag
def quote(membership: Membership, choices: Choices) -> Quote | None:
    """Return what a launch of these choices would cost; None before there is a GPU class."""
    if choices.option is None:
        return None
    size_gib = int(choices.size_gib) if choices.size_gib.isdecimal() and len(choices.size_gib) < 6 else 0
    planned = Planned(choices.engine, choices.option.gpu_class, choices.tag, choices.volume, size_gib)
    return quote_for(membership, planned, now=timezone.now())


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
