"""Closing periods. What is closed stays as it is: what comes later about it is posted, as a correction, in the next open one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, Sum
from django.utils.translation import gettext as _

from billing import digests
from billing.accounts import lock_accounts
from billing.errors import ClosingRefused
from billing.manual import manual_row
from billing.models import BillingPeriod, Charge, Meter, UsageInterval, VolumeMeter
from billing.money import minor_digits, round_half_even
from billing.posting import post_one
from billing.verifying import sums_that_differ
from tenants.audit.operations import Subject, record
from tenants.models import User


class Code(StrEnum):
    """Why a period cannot be closed."""

    CLOSED = "closed"
    TOO_EARLY = "too_early"
    EARLIER_OPEN = "earlier_open"
    UNSETTLED = "unsettled"
    WITHOUT_PRICE = "without_price"
    IN_DOUBT = "in_doubt"
    SUMS_DIFFER = "sums_differ"


@dataclass(frozen=True, slots=True)
class Blocker:
    """One thing that keeps a period open, for people."""

    code: Code
    sentence: str


def due_periods(*, now: datetime) -> list[BillingPeriod]:
    """Return the open periods whose time to be closed has come, the oldest first."""
    over = BillingPeriod.objects.filter(status=BillingPeriod.Status.OPEN, ends_at__lte=now - grace())
    return list(over.select_related("tenant").order_by("ends_at", "tenant_id"))


def grace() -> timedelta:
    """Return how long after its end a period stays open for what comes late."""
    return timedelta(hours=settings.CLOSE_AFTER_HOURS)


def blockers(period: BillingPeriod, *, now: datetime) -> list[Blocker]:
    """Return all that keeps the period from being closed; nothing: it can be."""
    return list(_blockers(period, now))


@transaction.atomic
def close_period(*, period: BillingPeriod, now: datetime, by: User | None = None) -> BillingPeriod:
    """Round what is to be paid, seal the period and close it for ever; return it as it is now. Raises ClosingRefused.

    Of two who close at once, the second is refused.
    """
    # The account before the period, as those who post take them.
    lock_accounts([period.tenant_id])
    period = BillingPeriod.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=period.pk)
    kept_open = blockers(period, now=now)
    if kept_open:
        raise ClosingRefused(kept_open[0].sentence)
    _round(period, now)
    found = period.charges.aggregate(
        count=Count("pk"), amount=Sum("amount", default=Decimal(0)), list_amount=Sum("list_amount", default=Decimal(0))
    )
    period.status, period.closed_at, period.closed_by = BillingPeriod.Status.CLOSED, now, by
    period.charge_count, period.amount, period.list_amount = found["count"], found["amount"], found["list_amount"]
    period.digest = digest_of(period)
    period.save()
    details = {"amount": period.money.exact, "charges": period.charge_count, "digest": period.digest}
    record(
        "period.closed", actor=by, tenant=period.tenant, subject=Subject("period", period.label, period.label), details=details
    )
    return period


def digest_of(period: BillingPeriod) -> str:
    """Work the seal out from the charges that are posted in the period and the seal of the one before."""
    before = BillingPeriod.objects.filter(tenant=period.tenant_id, starts_at__lt=period.starts_at).order_by("-starts_at")
    seal = before.values_list("digest", flat=True).first() or ""
    rows = Charge.objects.filter(period=period.pk).order_by(*digests.ORDER).values_list(*digests.FIELDS)
    return digests.chain(seal, rows.iterator(chunk_size=2000))


def _round(period: BillingPeriod, now: datetime) -> None:
    """Post what is missing to an amount that can be paid, so that the charges of an invoice add up to it exactly."""
    total = period.charges.aggregate(total=Sum("amount", default=Decimal(0)))["total"]
    payable = round_half_even(total, minor_digits(period.currency))
    if payable == total:
        return
    row = manual_row(period, Charge.Category.ADJUSTMENT, payable - total, reason="Rounding", at=period.starts_at, posted_at=now)
    post_one(row)


def _blockers(period: BillingPeriod, now: datetime) -> Iterator[Blocker]:
    if period.is_closed:
        yield Blocker(Code.CLOSED, _("%(month)s is closed already.") % {"month": period.label})
        return
    if now < period.ends_at + grace():
        yield Blocker(
            Code.TOO_EARLY,
            _("It stays open for %(hours)d hours after its end, for what comes late.") % {"hours": settings.CLOSE_AFTER_HOURS},
        )
    earlier = BillingPeriod.objects.filter(
        tenant=period.tenant_id, starts_at__lt=period.starts_at, status=BillingPeriod.Status.OPEN
    ).first()
    if earlier is not None:
        yield Blocker(Code.EARLIER_OPEN, _("%(month)s has to be closed first.") % {"month": earlier.label})
    yield from _blockers_of_usage(period)
    if sums_that_differ(tenant_id=period.tenant_id, month=period.month):
        yield Blocker(Code.SUMS_DIFFER, _("The sums do not agree with the charges; see “manage.py billing verify”."))


def _blockers_of_usage(period: BillingPeriod) -> Iterator[Blocker]:
    of_period = UsageInterval.objects.billed().filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=period.starts_at), tenant=period.tenant_id, starts_at__lt=period.ends_at
    )
    behind = Q(dirty_from__isnull=False) | Q(settled_to__isnull=True) | Q(settled_to__lt=period.ends_at)
    instances = Meter.objects.filter(pk__in=of_period.values("instance_id"))
    unsettled = instances.filter(behind).count()
    unsettled += VolumeMeter.objects.filter(behind, pk__in=of_period.storage().values("volume_id")).count()
    if unsettled:
        yield Blocker(Code.UNSETTLED, _("%(count)d instances or volumes are not settled yet.") % {"count": unsettled})
    in_doubt = Meter.objects.filter(quarantined__gt=0, instance__tenant=period.tenant_id).count()
    in_doubt += VolumeMeter.objects.filter(quarantined__gt=0, volume__tenant=period.tenant_id).count()
    if in_doubt:
        sentence = _(
            "%(count)d instances or volumes have facts in doubt; decide in the console or by “manage.py billing decide”."
        )
        yield Blocker(Code.IN_DOUBT, sentence % {"count": in_doubt})
    # Storage may be free of charge altogether; a GPU class that is has a price of 0.
    unpriced = instances.filter(unpriced_from__lt=period.ends_at).count()
    if unpriced:
        yield Blocker(Code.WITHOUT_PRICE, _("%(count)d instances used a GPU class that had no price.") % {"count": unpriced})
