"""Verifying all of the books, and making anew what is only worked out from them."""

import logging
from datetime import date, datetime

from django.db import connection, transaction
from django.db.models import Count, Sum

from billing.accounts import lock_accounts
from billing.closing import digest_of
from billing.crowding import Crowd, crowds
from billing.models import BillingAccount, BillingPeriod, DayRollup, Meter, MonthRollup, VolumeMeter
from billing.rollups import fill_all
from billing.settling import BEGINNING
from billing.verifying import Difference, books_that_differ
from tenants.models import Tenant

logger = logging.getLogger(__name__)


def verify(*, tenant: Tenant | None = None, month: date | None = None) -> list[Difference]:
    """Check the books of one tenant and one month, or all; return what is wrong. Writes nothing."""
    tenant_id = tenant.pk if tenant else None
    found = books_that_differ(tenant_id=tenant_id, month=month) + _seals_that_differ(tenant, month)
    for difference in found:
        logger.error("The books are wrong: %s", difference)
    return found


def tell_crowds(start: datetime, end: datetime) -> list[Crowd]:
    """Say where more had a GPU than there were GPUs, and return it. The books may be right: then capacity was not."""
    found = crowds(start, end)
    for crowd in found:
        logger.warning(
            "%d runs had a GPU of the class %s from %s to %s UTC, and there were %d slots.",
            crowd.taken,
            crowd.gpu_class_id,
            f"{crowd.starts_at:%F %T}",
            f"{crowd.ends_at:%F %T}",
            crowd.slots,
        )
    return found


@transaction.atomic
def rebuild(*, tenant: Tenant | None = None) -> int:
    """Make all sums anew from the charges, of one tenant or of all, and have all usage worked out anew from its facts by the
    next settling, which posts nothing where the books were right. Return how many sums there are now."""
    of_tenant = {"tenant": tenant} if tenant else {}
    lock_accounts([tenant.pk] if tenant else list(BillingAccount.objects.values_list("pk", flat=True)))
    DayRollup.objects.filter(**of_tenant).delete()
    MonthRollup.objects.filter(**of_tenant).delete()
    with connection.cursor() as cursor:
        made = fill_all(cursor, tenant.pk if tenant else None)
    Meter.objects.filter(**{f"instance__{name}": value for name, value in of_tenant.items()}).update(dirty_from=BEGINNING)
    VolumeMeter.objects.filter(**{f"volume__{name}": value for name, value in of_tenant.items()}).update(dirty_from=BEGINNING)
    return made


def _seals_that_differ(tenant: Tenant | None, month: date | None) -> list[Difference]:
    closed = BillingPeriod.objects.filter(status=BillingPeriod.Status.CLOSED).order_by("tenant_id", "starts_at")
    closed = closed.filter(tenant=tenant) if tenant else closed
    closed = closed.filter(month=month) if month else closed
    return [Difference("seal", period.tenant_id, period.label) for period in closed if not _holds(period)]


def _holds(period: BillingPeriod) -> bool:
    found = period.charges.aggregate(count=Count("pk"), amount=Sum("amount"), list_amount=Sum("list_amount"))
    sums = (found["count"], found["amount"] or 0, found["list_amount"] or 0)
    return sums == (period.charge_count, period.amount, period.list_amount) and digest_of(period) == period.digest
