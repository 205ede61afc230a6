"""The page of exports: what was asked for, how far it is, and a form for another."""

from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from billing.accounts import calendar_of
from billing.errors import ExportRefused
from billing.exports.asking import ask_for_export, note_taken, require_right
from billing.exports.forms import FIELDS_OF, ExportForm
from billing.exports.manifest import manifest_of
from billing.exports.queries import export_in, exports_of
from billing.exports.sending import begins_file, require_done, send_file
from billing.windows import NotAWindow, parse
from tenants.membership import PortalRequest, member
from tenants.models import Membership


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def exports(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Show the tenant's files; take a wish for another."""
    membership = _reader(request, tenant_slug)
    now = timezone.now()
    if request.method != "POST":
        return _page(request, membership, ExportForm(initial=_initial(request, membership, now)))
    form = ExportForm(request.POST)
    if form.is_valid():
        try:
            ask_for_export(by=membership, wanted=form.wanted, now=now)
        except ExportRefused as refusal:
            form.add_error(FIELDS_OF.get(refusal.field), str(refusal))
        else:
            return redirect("costs-exports", tenant_slug)
    return _page(request, membership, form, status=422)


@login_required
@require_safe
def export_row(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Show how far one file is."""
    membership = _reader(request, tenant_slug)
    context = {"tenant": membership.tenant, "job": export_in(membership, slug)}
    return render(request, "billing/exports/_row.html", context)


@login_required
@require_safe
def export_file(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponseBase:
    """Send the file."""
    membership = _reader(request, tenant_slug)
    job = export_in(membership, slug)
    response = send_file(request, job)
    if begins_file(response):
        note_taken(membership, job)
    return response


@login_required
@require_safe
def export_manifest(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Send what is in the file."""
    job = export_in(_reader(request, tenant_slug), slug)
    require_done(job)
    headers = {"Content-Disposition": f'attachment; filename="{job.download_name}.manifest.json"'}
    return JsonResponse(manifest_of(job), json_dumps_params={"indent": 2, "ensure_ascii": False}, headers=headers)


def _reader(request: PortalRequest, tenant_slug: str) -> Membership:
    membership = member(request, tenant_slug)
    require_right(membership)
    return membership


def _page(request: PortalRequest, membership: Membership, form: ExportForm, status: int = 200) -> HttpResponse:
    context = {
        "membership": membership,
        "tenant": membership.tenant,
        "form": form,
        "jobs": exports_of(membership),
        "zone": calendar_of(membership.tenant).period_at(timezone.now()).time_zone,
    }
    return render(request, "billing/exports/index.html", context, status=status)


def _initial(request: PortalRequest, membership: Membership, now: datetime) -> dict[str, object]:
    """Last month, or what the address asks for."""
    calendar = calendar_of(membership.tenant)
    try:
        window = parse(request.GET.get("window", "lastmonth"), calendar, now)
    except NotAWindow:
        window = parse("lastmonth", calendar, now)
    return {"first_day": window.first, "last_day": window.last, "filter": request.GET.get("filter", "")[:2000]}
