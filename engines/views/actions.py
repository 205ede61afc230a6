"""Buttons of an instance: each is one operation, answered by the part of the page that it changed."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from engines import fragments
from engines.forms import DeleteForm
from engines.models import Instance
from engines.operations import idle as release
from engines.operations import instances as operations
from engines.queries.instances import InstanceRow, instance_in
from engines.states import COMING_UP
from tenants.errors import NotAllowed, NotVisible, PortalError
from tenants.membership import PortalRequest, member
from tenants.models import Membership
from tenants.quotas.refusal import told

Operation = Callable[..., None]


@require_POST
@login_required
def pause(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Give the GPU back."""
    return _act(request, tenant_slug, slug, operations.pause_instance)


@require_POST
@login_required
def resume(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Run again, also after a failure."""
    return _act(request, tenant_slug, slug, operations.resume_instance)


@require_POST
@login_required
def restart(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Run afresh."""
    return _act(request, tenant_slug, slug, operations.restart_instance)


@require_POST
@login_required
def cancel(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Stop coming up."""
    return _act(request, tenant_slug, slug, operations.cancel_launch)


@require_POST
@login_required
def keep(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Keep it on for a while, an hour unless the form says otherwise."""
    minutes = request.POST.get("minutes", "60")
    duration = timedelta(minutes=int(minutes) if minutes.isdecimal() and len(minutes) < 6 else 60)

    def apply(*, instance: Instance, by: Membership) -> None:
        release.keep_instance(instance=instance, by=by, duration=duration)

    return _act(request, tenant_slug, slug, apply)


@require_POST
@login_required
def when_free(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Release it as soon as its queue is empty."""
    return _act(request, tenant_slug, slug, partial(release.release_when_free, wanted=True))


@require_POST
@login_required
def not_when_free(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Take that back."""
    return _act(request, tenant_slug, slug, partial(release.release_when_free, wanted=False))


@require_http_methods(["GET", "POST"])
@login_required
def delete(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Name the consequence, then delete; in a dialog with JavaScript, as a page without."""
    membership = member(request, tenant_slug)
    row = instance_in(membership, slug)
    if not row.rights.operate:
        raise NotAllowed(_("Only its owner or an admin of %(tenant)s may do this.") % {"tenant": membership.tenant})
    form = DeleteForm(request.POST or None, instance=row.instance)
    if request.method == "POST" and form.is_valid():
        try:
            operations.delete_instance(instance=row.instance, by=membership, keep_volume=form.keep_volume)
        except PortalError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("“%(name)s” is being deleted.") % {"name": row.instance.name})
            address = reverse("instances", args=[tenant_slug])
            return HttpResponseClientRedirect(address) if request.htmx else redirect(address)
    template = "engines/_delete.html" if request.htmx else "engines/delete.html"
    context = fragments.row_context(row) | {
        "membership": membership,
        "form": form,
        "dialog": bool(request.htmx),
        "coming": row.instance.state in COMING_UP,
        "purge_at": timezone.now() + timedelta(days=settings.TRASH_DAYS),
    }
    return render(request, template, context, status=422 if form.errors else 200)


def _act(request: PortalRequest, tenant_slug: str, slug: str, operation: Operation) -> HttpResponse:
    membership = member(request, tenant_slug)
    row = instance_in(membership, slug)
    if not request.htmx:
        operation(instance=row.instance, by=membership)
        return redirect(_origin(request, row))
    refusal = ""
    try:
        operation(instance=row.instance, by=membership)
    except (NotVisible, NotAllowed):
        raise
    except PortalError as error:
        refusal = told(error, request.user)
    fresh = instance_in(membership, slug)
    render_part = fragments.render_page if request.POST.get("origin") == "page" else fragments.render_row
    context = {"fragment": mark_safe(render_part(fresh)), "refusal": refusal}  # noqa: S308 - a rendered template
    return render(request, "engines/_answer.html", context, status=422 if refusal else 200)


def _origin(request: PortalRequest, row: InstanceRow) -> str:
    page = reverse("instance", args=[row.instance.tenant.slug, row.instance.slug])
    match request.POST.get("origin"):
        case "page":
            return page
        case "files":
            return f"{page}?tab=files"
        case "release":
            return f"{page}?tab=release"
    return reverse("instances", args=[row.instance.tenant.slug])
