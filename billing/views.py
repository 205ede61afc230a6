"""Pages about costs."""

from collections.abc import AsyncIterator
from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from billing import exports, summaries
from billing.periods import ZONE, Month, months_back
from billing.queries import scope_of
from tenants.access import membership_in
from tenants.errors import NotVisible
from tenants.models import Membership


@login_required
def costs(request: HttpRequest, tenant_slug: str) -> HttpResponse:
    """Show the month per instance and per user."""
    membership = membership_in(request.user, tenant_slug)  # type: ignore[arg-type]
    now = timezone.now()
    summary = summaries.month_summary(membership, _month(request, now), now=now)
    context = _frame(membership, summary.month, now) | {"summary": summary}
    return render(request, "billing/costs.html", context)


@login_required
def costs_csv(request: HttpRequest, tenant_slug: str) -> StreamingHttpResponse:
    """Send the same month as a file."""
    membership = membership_in(request.user, tenant_slug)  # type: ignore[arg-type]
    now = timezone.now()
    summary = summaries.month_summary(membership, _month(request, now), now=now)
    exports.note_export(membership, summary.month)

    async def lines() -> AsyncIterator[str]:
        for line in exports.month_csv(summary):
            yield line

    name = f"costs-{membership.tenant.slug}-{summary.month}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8", headers=headers)


@login_required
def instance_costs(request: HttpRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Show one instance's month, charge by charge."""
    membership = membership_in(request.user, tenant_slug)  # type: ignore[arg-type]
    now = timezone.now()
    found = summaries.instance_month(membership, slug, _month(request, now), now=now)
    context = _frame(membership, found.summary.month, now) | {"found": found, "summary": found.summary}
    return render(request, "billing/instance.html", context)


def _month(request: HttpRequest, now: datetime) -> Month:
    """Return the month that the address asks for, else the present one."""
    asked = request.GET.get("month", "")
    try:
        month = Month.parse(asked) if asked else Month.of(now)
    except ValueError as error:
        raise NotVisible(_("There is no such month.")) from error
    if month > Month.of(now):
        raise NotVisible(_("This month is still to come."))
    return month


def _frame(membership: Membership, month: Month, now: datetime) -> dict[str, object]:
    months = months_back(Month.of(now), Month.of(membership.tenant.created_at))
    return {
        "tenant": membership.tenant,
        "month": month,
        "months": months if month in months else [*months, month],
        "own_only": scope_of(membership) is not None,
        "zone": ZONE,
    }
