"""The team's tab of access tokens. A token's text is shown in the answer to the form that made it, and never again."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from tenants import access
from tenants.access import Action
from tenants.access_tokens.forms import EVERYWHERE, SERVICE, AccessTokenForm
from tenants.access_tokens.models import AccessToken
from tenants.access_tokens.operations import Made, make_personal_token, make_service_token, revoke_access_token
from tenants.access_tokens.queries import shown_token, shown_tokens
from tenants.applying import refusals_in
from tenants.models import Membership, User


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def index(request: HttpRequest, tenant_slug: str) -> HttpResponse:
    """List the member's own tokens, and for who manages them the team's; make one."""
    membership = _member(request, tenant_slug)
    form = AccessTokenForm(request.POST or None, membership=membership)
    made = _make(form, membership) if request.method == "POST" and form.is_valid() else None
    tokens = list(shown_tokens(membership))
    context = {
        "membership": membership,
        "made": made,
        "own": [each for each in tokens if each.kind == AccessToken.Kind.PERSONAL and each.user_id == membership.user_id],
        "of_team": [each for each in tokens if each.user_id != membership.user_id],
        "may_manage": access.may(membership, Action.MANAGE_TOKENS),
        "form": AccessTokenForm(membership=membership) if made else form,
    }
    return render(request, "tenants/team/access_tokens.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def revoke(request: HttpRequest, tenant_slug: str, key_id: str) -> HttpResponse:
    """End a token at once."""
    membership = _member(request, tenant_slug)
    token = shown_token(membership, key_id)
    revoke_access_token(token=token, by=membership.user, membership=membership)
    messages.success(request, _("“%(name)s” is revoked.") % {"name": token.name})
    return redirect("access_tokens", tenant_slug)


def _member(request: HttpRequest, tenant_slug: str) -> Membership:
    membership = access.membership_in(cast("User", request.user), tenant_slug)
    access.require(membership, Action.SEE_TEAM)
    return membership


def _make(form: AccessTokenForm, membership: Membership) -> Made | None:
    with refusals_in(form):
        return _made(form, membership)
    return None


def _made(form: AccessTokenForm, membership: Membership) -> Made:
    acts = form.cleaned_data["acts"]
    if acts == SERVICE:
        return make_service_token(by=membership, role=form.cleaned_data["role"], wanted=form.wanted)
    bound = None if acts == EVERYWHERE else membership
    return make_personal_token(person=membership.user, membership=bound, wanted=form.wanted)
