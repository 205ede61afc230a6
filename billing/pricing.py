"""Setting and reading prices."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Least
from django.utils.translation import gettext as _

from billing import locks
from billing.errors import PriceRefused
from billing.models import Meter, Price, UsageInterval
from billing.money import PLACES, round_half_even
from billing.rating import PriceSpan
from engines.models import GpuClass
from tenants.audit.operations import Subject, record
from tenants.models import Tenant, User

LIMIT = Decimal(10) ** 9


def price_spans(gpu_class_ids: Collection[int]) -> list[PriceSpan]:
    """Return all prices there ever were of these classes."""
    return [price.span for price in Price.objects.filter(gpu_class_id__in=gpu_class_ids)]


@transaction.atomic
def set_price(
    *, gpu_class: GpuClass, per_hour: Decimal, starts_at: datetime, tenant: Tenant | None = None, by: User | None = None
) -> Price:
    """Let an hour of the class cost this from `starts_at` until the next price already set: one tenant's, or the list price.

    The price before ends there; what was already charged is corrected by the next settling. Raises PriceRefused.
    """
    _require_sensible(per_hour)
    locks.own_prices()
    starts_at = starts_at.replace(microsecond=0)
    applied = Price.objects.filter(gpu_class=gpu_class, tenant=tenant).exclude(ends_at=F("starts_at"))
    before = applied.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=starts_at), starts_at__lte=starts_at).first()
    if before is not None and before.per_hour == per_hour:
        return before
    if before is not None:
        before.ends_at = starts_at
        before.save(update_fields=["ends_at"])
    following = applied.filter(starts_at__gt=starts_at).order_by("starts_at").first()
    price = Price.objects.create(
        gpu_class=gpu_class,
        tenant=tenant,
        currency=settings.DEFAULT_CURRENCY,
        per_hour=per_hour,
        starts_at=starts_at,
        ends_at=following.starts_at if following else None,
        created_by=by,
    )
    _mark_what_was_used(price)
    change = {"from": before.money.exact if before else None, "to": price.money.exact}
    record(
        "price.set",
        actor=by,
        tenant=tenant,
        subject=Subject("gpuclass", gpu_class.slug, gpu_class.name),
        details={"per_hour": change, "starts_at": starts_at.isoformat(timespec="seconds")},
    )
    return price


def seed_prices(per_hour_by_class: Mapping[str, Decimal], *, starts_at: datetime) -> list[Price]:
    """Give a first list price to GPU classes (by slug) that have none; leave all others alone."""
    priced = Price.objects.filter(tenant__isnull=True).values("gpu_class_id")
    unpriced = GpuClass.objects.filter(slug__in=per_hour_by_class).exclude(pk__in=priced)
    return [
        set_price(gpu_class=gpu_class, per_hour=per_hour_by_class[gpu_class.slug], starts_at=starts_at) for gpu_class in unpriced
    ]


def _require_sensible(per_hour: Decimal) -> None:
    if not per_hour.is_finite() or not 0 <= per_hour < LIMIT:
        raise PriceRefused(_("A price is a number from 0 up to a thousand million."))
    if round_half_even(per_hour) != per_hour:
        raise PriceRefused(_("A price has at most %(places)d decimals.") % {"places": PLACES})
    other = Price.objects.exclude(currency=settings.DEFAULT_CURRENCY).first()
    if other is not None:
        raise PriceRefused(
            _("Prices are in %(old)s, the setting AIGC_CURRENCY says %(new)s. Set it back: the books know one currency.")
            % {"old": other.currency, "new": settings.DEFAULT_CURRENCY}
        )


def _mark_what_was_used(price: Price) -> None:
    """Have every instance settled again that used the class while the new price applies."""
    used = UsageInterval.objects.filter(gpu_class=price.gpu_class_id).filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=price.starts_at)
    )
    if price.tenant_id is not None:
        used = used.filter(tenant=price.tenant_id)
    Meter.objects.filter(pk__in=used.values("instance_id")).update(dirty_from=Least("dirty_from", Value(price.starts_at)))
