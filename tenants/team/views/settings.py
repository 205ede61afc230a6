"""The tenant itself: its name, and its end."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from tenants import access
from tenants.access import Action
from tenants.errors import PortalError
from tenants.membership import PortalRequest, member
from tenants.team import operations_tenant as operations
from tenants.team.forms import ConfirmForm, RenameForm
from tenants.team.views.dialogs import ask, done, filled


@login_required
@require_http_methods(["GET", "POST"])
def index(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Show the tenant's name and what its owners can do; rename it."""
    membership = member(request, tenant_slug)
    access.require(membership, Action.MANAGE_TENANT)
    form = RenameForm(filled(request), initial={"name": membership.tenant.name})
    if form.is_valid():
        try:
            operations.rename_tenant(by=membership, name=form.cleaned_data["name"])
        except PortalError as refusal:
            form.add_error("name", str(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("tenant_settings", tenant_slug=tenant_slug)
    context = {"membership": membership, "form": form}
    return render(request, "tenants/team/settings.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def delete(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Name the consequence, then have the tenant deleted after the time of grace."""
    membership = member(request, tenant_slug)
    access.require(membership, Action.MANAGE_TENANT)
    form = ConfirmForm(filled(request))
    if form.is_valid():
        try:
            due_at = operations.ask_for_deletion(by=membership, name=form.cleaned_data["name"])
        except PortalError as refusal:
            form.add_error("name", str(refusal))
        else:
            names = {"tenant": membership.tenant, "date": date_format(due_at, "DATE_FORMAT")}
            return done(request, _here(tenant_slug), _("%(tenant)s will be deleted on %(date)s.") % names)
    context = {"membership": membership, "form": form, "days": settings.TENANT_GRACE_DAYS}
    return ask(request, "tenants/team/_delete.html", context, failed=bool(form.errors))


@login_required
@require_POST
def keep(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Take it back."""
    membership = member(request, tenant_slug)
    operations.keep_tenant(by=membership)
    messages.success(request, _("%(tenant)s is not deleted after all.") % {"tenant": membership.tenant})
    return redirect(_here(tenant_slug))


def _here(tenant_slug: str) -> str:
    return reverse("tenant_settings", args=[tenant_slug])
