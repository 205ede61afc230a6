"""What the link of an invitation leads to. Looking changes nothing: mail programs open links by themselves."""

from typing import cast

from allauth.account.internal.flows.login import record_authentication
from allauth.account.utils import perform_login
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from tenants.errors import NotAllowed, NotPossible
from tenants.invitations.forms import AccountForm
from tenants.invitations.models import Invitation
from tenants.invitations.queries import Doorstep, doorstep_of
from tenants.models import Membership, User
from tenants.team import operations_invitations as operations


@require_safe
@never_cache
def show(request: HttpRequest, token: str) -> HttpResponse:
    """Say who invites whom into what, and what there is to do."""
    return _page(request, token)


@require_POST
@never_cache
@login_required
def accept(request: HttpRequest, token: str) -> HttpResponse:
    """Become a member with the account that is signed in."""
    try:
        member = operations.accept_by_token(token=token, user=cast("User", request.user))
    except (NotPossible, NotAllowed):
        return _page(request, token, failed=True)
    return _welcome(request, member)


@require_POST
@never_cache
@sensitive_post_parameters("password1", "password2")
def account(request: HttpRequest, token: str) -> HttpResponse:
    """Make an account for the invited address, sign it in, and become a member."""
    step = doorstep_of(token, request.user)
    if step.kind != Doorstep.NEW or step.invitation is None:
        return _page(request, token, failed=True)
    form = AccountForm(request.POST, address=step.invitation.address)
    if form.is_valid():
        chosen = form.cleaned_data
        try:
            user, member = operations.make_account(token=token, username=chosen["username"], password=chosen["password1"])
        except NotPossible as refusal:
            form.add_error(None, str(refusal))
        else:
            return _signed_in(request, user, member)
    return _page(request, token, form=form, failed=True)


@require_POST
@login_required
def accept_mine(request: HttpRequest, slug: str) -> HttpResponse:
    """Become a member by an invitation to an address that the account has proved before."""
    return _welcome(request, operations.accept_as_verified(slug=slug, user=cast("User", request.user)))


def _page(request: HttpRequest, token: str, *, form: AccountForm | None = None, failed: bool = False) -> HttpResponse:
    step = doorstep_of(token, request.user)
    if step.kind == Doorstep.NEW and form is None:
        form = AccountForm(address=_address(step.invitation))
    context = {"step": step, "kind": step.kind.value, "invitation": step.invitation, "form": form, "token": token}
    status = 410 if step.kind == Doorstep.OVER else 422 if failed else 200
    return render(request, "tenants/invitation.html", context, status=status)


def _address(invitation: Invitation | None) -> str:
    return invitation.address if invitation is not None else ""


def _signed_in(request: HttpRequest, user: User, member: Membership) -> HttpResponse:
    """Begin the new person's session as any other begins, with all that is noted and asked there."""
    record_authentication(request, user, method="password")
    _say_welcome(request, member)
    return cast("HttpResponse", perform_login(request, user, redirect_url=_engines(member)))


def _engines(member: Membership) -> str:
    return reverse("instances", args=[member.tenant.slug])


def _welcome(request: HttpRequest, member: Membership) -> HttpResponse:
    _say_welcome(request, member)
    return redirect(_engines(member))


def _say_welcome(request: HttpRequest, member: Membership) -> None:
    messages.success(request, _("Welcome to %(tenant)s.") % {"tenant": member.tenant})
