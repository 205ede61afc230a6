"""The monthly report: once a month may be closed, whoever asked for it hears what it came to, and where its file is."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from billing.accounts import posted_to
from billing.exports import hints
from billing.exports.formats import Basis, Detail, Format
from billing.models import BillingPeriod, ExportJob
from billing.money import Money
from billing.periods import Month
from tenants.access import Action, people_who_may
from tenants.notifications.operations import notify

KIND = "costs_report"
NOT_OLDER = timedelta(days=20)
"""After its end a month gets a report for so long; a portal that begins to send them does not tell of years."""


def due(now: datetime) -> list[BillingPeriod]:
    """Return months that ended so long ago that they may be closed, and of which no report was begun."""
    ended = BillingPeriod.objects.filter(
        ends_at__lte=now - timedelta(hours=settings.CLOSE_AFTER_HOURS),
        ends_at__gt=now - NOT_OLDER,
        report=None,
        tenant__deleted_at=None,
    )
    return list(ended.select_related("tenant").order_by("ends_at"))


def begin(*, now: datetime) -> int:
    """Have the files of due reports written; return how many. The month's report is one, however often this is called."""
    count = 0
    for period in due(now):
        fields = {
            "tenant": period.tenant,
            "format": Format.XLSX,
            "basis": Basis.INVOICE,
            "detail": Detail.NET,
            "first_day": period.month,
            "last_day": Month.of(period.month).last_day,
            "as_of": posted_to(period.tenant_id) or now,
            "created_at": now,
        }
        with transaction.atomic():
            job, made = ExportJob.objects.get_or_create(report_of=period, defaults=fields)
            if made:
                hints.write_on_commit(job.pk)
        count += made
    return count


def announce(job: ExportJob) -> None:
    """Tell of a report within the transaction that says that it is done. Other files are nobody's news."""
    if job.report_of is None:
        return
    amounts = ", ".join(Money(Decimal(each["net"]), each["currency"]).exact for each in job.sums)
    context = {"tenant": job.tenant.name, "month": job.report_of.label, "amount": amounts or "0"}
    people = people_who_may(Action.SEE_COSTS, tenant_id=job.tenant_id)
    notify(tenant=job.tenant, kind=KIND, recipients=people, key=job.report_of.label, subject=job.slug, context=context)
