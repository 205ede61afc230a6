"""Charges as plain values, read in Python: what the SQL that writes files is held against."""

from billing.focus.rows import BookLine, Period, Sku, Usage
from billing.focus.source import UNNAMED
from billing.focus.vocabulary import ChargeCategory
from billing.models import Charge

CATEGORIES = {
    "gpu": ChargeCategory.USAGE,
    "storage": ChargeCategory.USAGE,
    "credit": ChargeCategory.CREDIT,
    "adjustment": ChargeCategory.ADJUSTMENT,
    "tax": ChargeCategory.TAX,
}


def book_line(charge: Charge) -> BookLine:
    """What a FOCUS row says of the charge."""
    return BookLine(
        number=charge.pk,
        line_key=charge.line_key,
        revision=charge.revision,
        kind=charge.kind,
        category=CATEGORIES[charge.category],
        tenant_id=charge.tenant_id,
        tenant_name=charge.tenant.name,
        owner_id=charge.owner_id,
        owner_name=charge.owner.username if charge.owner else "",
        period=Period(charge.period.starts_at, charge.period.ends_at, charge.period.invoice_number),
        is_correction=charge.is_correction,
        starts_at=charge.starts_at,
        ends_at=charge.ends_at,
        currency=charge.currency,
        amount=charge.amount,
        list_amount=charge.list_amount,
        tag=charge.tag,
        reason=charge.reason,
        usage=_usage(charge) if CATEGORIES[charge.category] is ChargeCategory.USAGE else None,
    )


def _usage(charge: Charge) -> Usage:
    return Usage(
        sku=_sku(charge),
        seconds=charge.seconds,
        quantity_milli=charge.quantity_milli,
        per_hour=charge.per_hour,
        list_per_hour=charge.list_per_hour,
        resource_id=charge.volume_id or charge.instance_id,
        resource_name=charge.resource_name,
        price_id=charge.price_id,
        run_id=charge.run_id,
    )


def _sku(charge: Charge) -> Sku:
    if charge.gpu_class is None:
        name = charge.storage_class or UNNAMED
        return Sku(name, name)
    return Sku(charge.gpu_class.slug, charge.gpu_class.name, charge.gpu_class.count, charge.gpu_class.memory_mib)
