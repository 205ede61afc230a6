"""What one is told, and what of it comes by e-mail."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from tenants import access
from tenants.access import Action
from tenants.models import User
from tenants.notifications import queries
from tenants.notifications.forms import ChoicesForm
from tenants.notifications.operations import choose_mail, mark_read


@login_required
def index(request: HttpRequest, tenant_slug: str) -> HttpResponse:
    """List what the person was told in this tenant."""
    user = cast("User", request.user)
    membership = access.membership_in(user, tenant_slug)
    context = {
        "membership": membership,
        "entries": queries.entries_of(membership),
        "choices": queries.mailed_kinds(user),
        "form": ChoicesForm(initial={"language": user.language}),
        "may_manage_webhooks": access.may(membership, Action.MANAGE_WEBHOOKS),
    }
    return render(request, "notifications/list.html", context)


@require_safe
@login_required
def unread(request: HttpRequest, tenant_slug: str) -> HttpResponse:
    """Draw the bell again, for open pages."""
    access.membership_in(cast("User", request.user), tenant_slug)
    return render(request, "notifications/_bell.html")


@require_POST
@login_required
def read(request: HttpRequest, tenant_slug: str) -> HttpResponse:
    """Open one notification, which thereby is read; without `id`, all are."""
    user = cast("User", request.user)
    membership = access.membership_in(user, tenant_slug)
    if "id" not in request.POST:
        mark_read(user=user, tenant=membership.tenant)
        return redirect("notifications", tenant_slug=tenant_slug)
    notification = queries.notification_of(membership, request.POST["id"]).notification
    mark_read(user=user, tenant=membership.tenant, notification=notification)
    return redirect(notification.about.link(tenant_slug, notification.subject))


@require_POST
@login_required
def choose(request: HttpRequest, tenant_slug: str) -> HttpResponse:
    """Keep which e-mail the person wants."""
    user = cast("User", request.user)
    access.membership_in(user, tenant_slug)
    form = ChoicesForm(request.POST)
    if form.is_valid():
        choose_mail(user=user, wanted=form.cleaned_data["kinds"], language=form.cleaned_data["language"])
        messages.success(request, _("Saved."))
    return redirect("notifications", tenant_slug=tenant_slug)
