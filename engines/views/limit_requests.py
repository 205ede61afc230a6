"""Asking for a higher limit, and deciding about what others ask for."""

from collections.abc import Callable
from functools import partial

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from engines.limit_forms import AskForm, DecisionForm
from tenants import access
from tenants.access import Action
from tenants.applying import is_applied
from tenants.errors import NotAllowed, NotVisible, PortalError
from tenants.membership import PortalRequest, member
from tenants.models import Membership
from tenants.quotas import requests as operations
from tenants.quotas.models import QuotaRequest


@require_http_methods(["GET", "POST"])
@login_required
def ask(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Ask for more; the address may name the limit."""
    membership = member(request, tenant_slug)
    access.require(membership, Action.LAUNCH)
    if request.method == "POST":
        form = AskForm(request.POST, membership=membership)
        if is_applied(form, lambda: _ask(membership, form)):
            messages.success(request, _("Your request is on its way. You will be told what becomes of it."))
            return redirect("limits", tenant_slug)
    else:
        form = AskForm(initial=request.GET.dict(), membership=membership)
    context = {"membership": membership, "form": form}
    return render(request, "engines/limits/ask.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def withdraw(request: PortalRequest, tenant_slug: str, pk: int) -> HttpResponse:
    """Take one's own request back."""
    membership = member(request, tenant_slug)
    wanted = _request_in(membership, pk)
    if wanted.asker_id != membership.user_id:
        raise NotAllowed(_("Only whoever asked can withdraw a request."))
    return _decide(request, membership, wanted, operations.withdraw_request, _("The request is withdrawn."))


@require_POST
@login_required
def approve(request: PortalRequest, tenant_slug: str, pk: int) -> HttpResponse:
    """Raise the limit."""
    membership, wanted, form = _decision(request, tenant_slug, pk)
    if not form.is_valid():
        messages.error(request, " ".join(map(str, form.errors.get("amount", [_("That is too long.")]))))
        return _back_to(wanted)
    amount = form.cleaned_data["amount"]
    granted = wanted.wanted if amount is None else amount
    apply = partial(operations.approve_request, amount=granted, word=form.cleaned_data["word"])
    return _decide(request, membership, wanted, apply, _("The limit is raised."))


@require_POST
@login_required
def refuse(request: PortalRequest, tenant_slug: str, pk: int) -> HttpResponse:
    """Say no, and why."""
    membership, wanted, form = _decision(request, tenant_slug, pk)
    return _decide(
        request, membership, wanted, partial(operations.refuse_request, word=_word(form)), _("The request is refused.")
    )


@require_POST
@login_required
def pass_on(request: PortalRequest, tenant_slug: str, pk: int) -> HttpResponse:
    """Leave it to operators."""
    membership, wanted, form = _decision(request, tenant_slug, pk)
    apply = partial(operations.pass_on_request, word=_word(form))
    return _decide(request, membership, wanted, apply, _("Operators have the request now."))


def _ask(membership: Membership, form: AskForm) -> None:
    cleaned = form.cleaned_data
    operations.ask_for_more(by=membership, scope=form.scope, wanted=cleaned["amount"], reason=cleaned["reason"])


def _decision(request: PortalRequest, tenant_slug: str, pk: int) -> tuple[Membership, QuotaRequest, DecisionForm]:
    membership = member(request, tenant_slug)
    access.require(membership, Action.MANAGE_LIMITS)
    wanted = _request_in(membership, pk)
    return membership, wanted, DecisionForm(request.POST, measure=wanted.measure)


def _word(form: DecisionForm) -> str:
    form.is_valid()
    return str(form.cleaned_data.get("word", ""))


def _request_in(membership: Membership, pk: int) -> QuotaRequest:
    return get_object_or_404(QuotaRequest.objects.select_related("tenant"), pk=pk, tenant=membership.tenant)


def _decide(
    request: PortalRequest, membership: Membership, wanted: QuotaRequest, apply: Callable[..., None], done: str
) -> HttpResponse:
    try:
        apply(by=membership, request=wanted)
    except (NotVisible, NotAllowed):
        raise
    except PortalError as refusal:
        messages.error(request, str(refusal))
        return _back_to(wanted)
    messages.success(request, done)
    return redirect("limits", membership.tenant.slug)


def _back_to(wanted: QuotaRequest) -> HttpResponse:
    """Show the request where it stands among the limits, at an address that can be loaded again."""
    return redirect(f"{reverse('limits', args=[wanted.tenant.slug])}#request-{wanted.pk}")
