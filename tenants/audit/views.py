"""The audit log of a tenant, for those who may see it."""

from typing import cast
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tenants import access
from tenants.access import Action
from tenants.audit.exports import export_audit
from tenants.audit.forms import FilterForm
from tenants.audit.queries import Wanted, events_of, page_of
from tenants.models import Membership, User


@login_required
@require_safe
def index(request: HttpRequest, tenant_slug: str) -> HttpResponse:
    """Show what fits the address, newest first, a page at a time."""
    membership = _reader(request, tenant_slug)
    form = FilterForm(request.GET)
    wanted = form.wanted
    page = page_of(wanted.of(events_of(membership.tenant)), before=request.GET.get("before", ""))
    context = {
        "membership": membership,
        "form": form,
        "page": page,
        "filtered": wanted != Wanted(),
        "beginning": "before" not in request.GET,
        "query": urlencode(wanted.described),
        "people": membership.tenant.members.order_by("username"),
    }
    return render(request, "tenants/audit/index.html", context)


@login_required
@require_safe
def export(request: HttpRequest, tenant_slug: str) -> HttpResponseBase:
    """Send what fits the address as a file."""
    membership = _reader(request, tenant_slug)
    wanted = FilterForm(request.GET).wanted
    return export_audit(by=membership.user, tenant=membership.tenant, wanted=wanted, events=events_of(membership.tenant))


def _reader(request: HttpRequest, tenant_slug: str) -> Membership:
    membership = access.membership_in(cast("User", request.user), tenant_slug)
    access.require(membership, Action.SEE_AUDIT)
    return membership
