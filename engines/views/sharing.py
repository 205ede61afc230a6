"""Who else may enter an instance, and giving it away."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from engines import fragments
from engines.operations import sharing as operations
from engines.queries.sharing import shares_of
from engines.sharing_forms import ExtendForm, HandOverForm, ShareChoiceForm, ShareForm
from engines.views.instance_page import Bound, operable, submit
from tenants.errors import PortalError
from tenants.membership import PortalRequest
from tenants.quotas.refusal import told


@require_POST
@login_required
def share(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Let somebody in."""
    membership, row = operable(request, tenant_slug, slug)
    form = ShareForm(request.POST, instance=row.instance)

    def apply() -> None:
        operations.share_instance(instance=row.instance, by=membership, member=form.member, until=form.until)

    return submit(request, (membership, row), Bound("share_form", form, "access"), apply)


@require_POST
@login_required
def extend(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Change when a share ends."""
    membership, row = operable(request, tenant_slug, slug)
    form = ExtendForm(request.POST, instance=row.instance)

    def apply() -> None:
        operations.extend_share(share=form.cleaned_data["share"], by=membership, until=form.until)

    return submit(request, (membership, row), Bound("change_form", form, "access"), apply)


@require_POST
@login_required
def end(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Let nobody in by a share any more."""
    membership, row = operable(request, tenant_slug, slug)
    form = ShareChoiceForm(request.POST, instance=row.instance)

    def apply() -> None:
        operations.end_share(share=form.cleaned_data["share"], by=membership)

    done = _("The share has ended. Restart the engine if somebody may still have it open.")
    return submit(request, (membership, row), Bound("change_form", form, "access"), apply, done=done)


@require_http_methods(["GET", "POST"])
@login_required
def hand_over(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Name the consequences, then hand over; in a dialog with JavaScript, as a page without."""
    membership, row = operable(request, tenant_slug, slug)
    form = HandOverForm(request.POST if request.method == "POST" else None, instance=row.instance)
    if form.is_valid():
        try:
            operations.hand_over_instance(instance=row.instance, by=membership, to=form.cleaned_data["to"])
        except PortalError as refusal:
            form.add_error(None, told(refusal, request.user))
        else:
            names = {"name": row.instance.name, "owner": form.cleaned_data["to"]}
            messages.success(request, _("“%(name)s” belongs to %(owner)s now.") % names)
            address = reverse("instance", args=[tenant_slug, slug])
            return HttpResponseClientRedirect(address) if request.htmx else redirect(address)
    context = fragments.row_context(row) | {
        "membership": membership,
        "form": form,
        "dialog": bool(request.htmx),
        "shares": shares_of(row.instance),
        "own": row.instance.owner_id == membership.user_id,
    }
    template = "engines/_hand_over.html" if request.htmx else "engines/hand_over.html"
    return render(request, template, context, status=422 if request.method == "POST" else 200)
