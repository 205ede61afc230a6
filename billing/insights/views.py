"""The page of insights: one's own, or everybody's for who may see costs."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from billing import charts, queries, recent_windows, windows
from billing.accounts import calendar_of
from billing.insights.gathering import gather
from billing.insights.report import Pausing, report
from billing.insights.words import CAUSES
from engines.release.spans import KEPT_FOR
from tenants.membership import PortalRequest, member


@login_required
def insights(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Show what use tells about costs, for one of four windows; whoever asks for another is told, and shown the usual one."""
    membership = member(request, tenant_slug)
    now, asked = timezone.now(), request.GET.get("window", recent_windows.USUAL)
    chosen = recent_windows.offered(asked)
    with queries.snapshot():
        calendar = calendar_of(membership.tenant)
        window = windows.parse(chosen, calendar, now)
        known = gather(membership, window, calendar, now=now)
        found = report(known) if known is not None else None
    context = {
        "tenant": membership.tenant,
        "membership": membership,
        "own_only": queries.scope_of(membership) is not None,
        "windows": recent_windows.choices(chosen),
        "window": window,
        "not_offered": "" if asked == chosen else asked,
        "zone": calendar.period_at(now).time_zone,
        "known": known,
        "found": found,
        "curve": _curve(found.pausing, known.currency) if known and found and found.pausing else None,
        "causes": CAUSES,
        "kept_days": KEPT_FOR.days,
        "as_of": now,
    }
    return render(request, "billing/insights.html", context)


def _curve(pausing: Pausing, currency: str) -> charts.Columns:
    """Draw what each idle time would have saved, with the starts that somebody would have waited for."""
    groups = []
    for choice in pausing.choices:
        label = _("%(minutes)d min") % {"minutes": choice.minutes}
        starts = _("%(starts)s starts a day") % {"starts": choice.resumes_a_day}
        groups.append(charts.Group(label, f"{label}, {starts}", "#pausing", (choice.amount,)))
    return charts.columns("pausing", [_("Saved")], groups, currency)
