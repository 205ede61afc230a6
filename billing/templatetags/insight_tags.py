"""Amounts of insights in templates: they are worked out as numbers, and get their currency where they are shown."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import template

from billing.money import Money

register = template.Library()


@register.filter
def of(amount: Decimal | None, currency: str) -> Money | None:
    """Make it money; what is not known stays so."""
    return None if amount is None else Money(amount, currency)


@register.filter
def percent(part: Decimal | None) -> str:
    """Write 0.8763 as "87.6 %"; what is not known is a dash."""
    return "–" if part is None else f"{part * 100:.1f} %"


@register.filter
def words(causes: Mapping[Any, tuple[Any, Any]], cause: Any) -> tuple[Any, Any]:
    """Look up what a cause is called, and what it means."""
    return causes[cause]
