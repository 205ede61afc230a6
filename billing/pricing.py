"""Setting and reading prices."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Least
from django.utils.translation import gettext as _

from billing import locks
from billing.accounts import calendar_of
from billing.errors import PriceRefused
from billing.models import Meter, Price, UsageInterval, VolumeMeter
from billing.money import PLACES, Money, round_half_even
from billing.pricebook import PriceSpan
from engines.models import GpuClass
from tenants.audit.operations import Subject, record
from tenants.models import Tenant, User

LIMIT = Decimal(10) ** 9


def price_spans(gpu_class_ids: Collection[int | None]) -> list[PriceSpan]:
    """Return all prices there ever were of these GPU classes; None among them stands for storage."""
    of_classes = Q(gpu_class_id__in=[pk for pk in gpu_class_ids if pk is not None])
    asked = of_classes | Q(gpu_class_id__isnull=True) if None in gpu_class_ids else of_classes
    return [price.span for price in Price.objects.filter(asked).order_by()]


@transaction.atomic
def set_price(
    *,
    gpu_class: GpuClass,
    per_hour: Decimal | Money,
    starts_at: datetime,
    tenant: Tenant | None = None,
    list_per_hour: Decimal | None = None,
    by: User | None = None,
) -> Price:
    """Let an hour of the class cost this from `starts_at` until the next price already set: one tenant's, or the list price.

    A `per_hour` without a currency is in the tenant's, or else in the installation's. `list_per_hour` is what a discount is told
    from; without one that is the list price of the time. The price before ends there; what was already charged is corrected by
    the next settling. Raises PriceRefused.
    """
    what = {"gpu_class": gpu_class, "storage_class": "", "tenant": tenant}
    return _set(what, per_hour, list_per_hour, starts_at, by)


@transaction.atomic
def set_storage_price(
    *,
    per_hour: Decimal | Money,
    starts_at: datetime,
    storage_class: str = "",
    tenant: Tenant | None = None,
    list_per_hour: Decimal | None = None,
    by: User | None = None,
) -> Price:
    """Let a GiB of storage cost this for an hour; without a class, of all classes that have no price of their own.

    Otherwise as `set_price`.
    """
    what = {"gpu_class": None, "storage_class": storage_class, "tenant": tenant}
    return _set(what, per_hour, list_per_hour, starts_at, by)


def _set(
    what: dict[str, Any], per_hour: Decimal | Money, list_per_hour: Decimal | None, starts_at: datetime, by: User | None
) -> Price:
    amount, currency = (per_hour.amount, per_hour.currency) if isinstance(per_hour, Money) else (per_hour, "")
    for each in (amount, list_per_hour):
        _require_sensible(each)
    locks.own_prices()
    starts_at = starts_at.replace(microsecond=0)
    what = what | {"currency": currency or _currency_of(what["tenant"], starts_at)}
    applied = Price.objects.filter(**what).exclude(ends_at=F("starts_at"))
    before = applied.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=starts_at), starts_at__lte=starts_at).first()
    if before is not None and (before.per_hour, before.list_per_hour) == (amount, list_per_hour):
        return before
    if before is not None:
        before.ends_at = starts_at
        before.save(update_fields=["ends_at"])
    following = applied.filter(starts_at__gt=starts_at).order_by("starts_at").first()
    entered = Price.objects.create(
        **what,
        per_hour=amount,
        list_per_hour=list_per_hour,
        starts_at=starts_at,
        ends_at=following.starts_at if following else None,
        created_by=by,
    )
    _mark_what_was_used(entered)
    _audit(entered, before, by)
    return entered


def _audit(entered: Price, before: Price | None, by: User | None) -> None:
    of_class = entered.gpu_class
    subject = Subject("gpuclass", of_class.slug, of_class.name) if of_class else Subject("storage", entered.storage_class)
    change = {"from": before.money.exact if before else None, "to": entered.money.exact}
    details = {"per_hour": change, "starts_at": entered.starts_at.isoformat(timespec="seconds")}
    record("price.set", actor=by, tenant=entered.tenant, subject=subject, details=details)


def _currency_of(tenant: Tenant | None, at: datetime) -> str:
    return settings.DEFAULT_CURRENCY if tenant is None else calendar_of(tenant).currency_at(at)


def seed_prices(per_hour_by_class: Mapping[str, Decimal], *, starts_at: datetime) -> list[Price]:
    """Give a first list price to GPU classes (by slug) that have none; leave all others alone."""
    priced = Price.objects.filter(tenant__isnull=True, gpu_class__isnull=False).values("gpu_class_id")
    unpriced = GpuClass.objects.filter(slug__in=per_hour_by_class).exclude(pk__in=priced)
    return [
        set_price(gpu_class=gpu_class, per_hour=per_hour_by_class[gpu_class.slug], starts_at=starts_at) for gpu_class in unpriced
    ]


def _require_sensible(per_hour: Decimal | None) -> None:
    if per_hour is None:
        return
    if not per_hour.is_finite() or not 0 <= per_hour < LIMIT:
        raise PriceRefused(_("A price is a number from 0 up to a thousand million."))
    if round_half_even(per_hour) != per_hour:
        raise PriceRefused(_("A price has at most %(places)d decimals.") % {"places": PLACES})


def _mark_what_was_used(price: Price) -> None:
    """Have everything settled again that used the class, or storage, while the new price applies."""
    used = UsageInterval.objects.storage()
    if price.gpu_class_id:
        used = UsageInterval.objects.gpu().filter(gpu_class=price.gpu_class_id)
    used = used.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=price.starts_at))
    if price.tenant_id is not None:
        used = used.filter(tenant=price.tenant_id)
    since = Least("dirty_from", Value(price.starts_at))
    if price.gpu_class_id:
        Meter.objects.filter(pk__in=used.values("instance_id")).update(dirty_from=since)
    else:
        VolumeMeter.objects.filter(pk__in=used.values("volume_id")).update(dirty_from=since)
