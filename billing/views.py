"""The statement of a month, also as a file, and one instance's part of it."""

from collections.abc import AsyncIterator
from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from billing import summaries
from billing.accounts import calendar_of
from billing.exports import month as month_files
from billing.periods import Month, months_back
from billing.queries import scope_of
from billing.summaries import MonthSummary
from tenants.errors import NotVisible
from tenants.membership import PortalRequest, member
from tenants.models import Membership


@login_required
def month(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Show the month per instance and per user."""
    membership = member(request, tenant_slug)
    now = timezone.now()
    summary = summaries.month_summary(membership, _month(request, membership, now), now=now)
    context = _frame(membership, summary, now)
    return render(request, "billing/month.html", context)


@login_required
def costs_csv(request: PortalRequest, tenant_slug: str) -> StreamingHttpResponse:
    """Send the same month as a file."""
    membership = member(request, tenant_slug)
    now = timezone.now()
    summary = summaries.month_summary(membership, _month(request, membership, now), now=now)
    month_files.note_export(membership, summary.month)

    async def lines() -> AsyncIterator[str]:
        for line in month_files.month_csv(summary):
            yield line

    name = f"costs-{membership.tenant.slug}-{summary.month}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8", headers=headers)


@login_required
def instance_costs(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Show one instance's month, charge by charge."""
    membership = member(request, tenant_slug)
    now = timezone.now()
    found = summaries.instance_month(membership, slug, _month(request, membership, now), now=now)
    context = _frame(membership, found.summary, now) | {"found": found}
    return render(request, "billing/instance.html", context)


def _month(request: PortalRequest, membership: Membership, now: datetime) -> Month:
    """Return the month that the address asks for, else the present one."""
    asked, present = request.GET.get("month", ""), calendar_of(membership.tenant).month_of(now)
    try:
        month = Month.parse(asked) if asked else present
    except ValueError as error:
        raise NotVisible(_("There is no such month.")) from error
    if month > present:
        raise NotVisible(_("This month is still to come."))
    return month


def _frame(membership: Membership, summary: MonthSummary, now: datetime) -> dict[str, object]:
    month, calendar = summary.month, calendar_of(membership.tenant)
    months = months_back(calendar.month_of(now), calendar.month_of(membership.tenant.created_at))
    return {
        "tenant": membership.tenant,
        "membership": membership,
        "summary": summary,
        "month": month,
        "months": months if month in months else [*months, month],
        "own_only": scope_of(membership) is not None,
        "zone": summary.time_zone,
    }
