"""What people enter into the books: credits, adjustments and taxes. Each is a charge that is never changed; another undoes it."""

import uuid
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from billing.accounts import Periods, calendars_of
from billing.errors import PostingRefused
from billing.models import BillingPeriod, Charge
from billing.money import PLACES, round_half_even
from billing.periods import Month
from billing.posting import post_one
from tenants.models import Tenant, User

LIMIT = Decimal(10) ** 9
Category = Charge.Category


def add_credit(*, tenant: Tenant, amount: Decimal, reason: str, now: datetime, by: User | None = None) -> Charge:
    """Give the tenant so much (more than 0) off what it has to pay for the present month. Raises PostingRefused."""
    if amount <= 0:
        raise PostingRefused(_("A credit is an amount above 0."))
    return _post(Category.CREDIT, tenant, -amount, reason, now, by)


def add_adjustment(*, tenant: Tenant, amount: Decimal, reason: str, now: datetime, by: User | None = None) -> Charge:
    """Charge so much more, or less than 0, for the present month. Raises PostingRefused."""
    return _post(Category.ADJUSTMENT, tenant, amount, reason, now, by)


def add_tax(*, tenant: Tenant, amount: Decimal, reason: str, now: datetime, by: User | None = None) -> Charge:
    """Charge a tax of the present month; below 0 gives one back. Raises PostingRefused."""
    return _post(Category.TAX, tenant, amount, reason, now, by)


@transaction.atomic
def _post(category: str, tenant: Tenant, amount: Decimal, reason: str, now: datetime, by: User | None) -> Charge:
    """Post into the month of `now`, or into the first open one after, where it is a charge of that month and no correction."""
    _require_sensible(amount, reason)
    calendars = calendars_of([tenant.pk])
    periods = Periods(calendars)
    period, is_later = periods.posting(tenant.pk, calendars[tenant.pk].month_of(now))
    at = period.starts_at if is_later else now.replace(microsecond=0)
    day = calendars[tenant.pk].day_of(at)
    row = manual_row(period, category, amount, reason=reason, at=at, posted_at=now)
    row.day, row.posted_by = day, by
    return post_one(row)


def manual_row(
    period: BillingPeriod, category: str, amount: Decimal, *, reason: str, at: datetime, posted_at: datetime
) -> Charge:
    """Return a row that is not posted yet, of the period as a whole; its day is the month's first."""
    return Charge(
        line_key=uuid.uuid4(),
        kind=Charge.Kind.ORIGINAL,
        category=category,
        tenant_id=period.tenant_id,
        period=period,
        day=Month.of(period.month).first_day,
        currency=period.currency,
        starts_at=at,
        ends_at=period.ends_at,
        quantity_milli=0,
        amount=amount,
        list_amount=amount,
        reason=reason,
        posted_at=posted_at,
    )


def _require_sensible(amount: Decimal, reason: str) -> None:
    if not isinstance(amount, Decimal) or not amount.is_finite() or not amount or abs(amount) >= LIMIT:
        raise PostingRefused(_("An amount is a number other than 0, below a thousand million."))
    if round_half_even(amount) != amount:
        raise PostingRefused(_("An amount has at most %(places)d decimals.") % {"places": PLACES})
    if not reason.strip():
        raise PostingRefused(_("Say why: whoever audits the books will ask."))
