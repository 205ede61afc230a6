"""Pages about API tokens. A token's text is shown in the answer to the form that made it, and never again."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from engines.models import Instance
from engines.queries.instances import instance_in
from engines.rights import require_visit
from gateway.api_tokens.forms import ApiTokenForm
from gateway.api_tokens.operations import Made, make_api_token, revoke_api_token
from gateway.api_tokens.queries import api_access, manageable_tokens
from tenants.applying import refusals_in
from tenants.errors import NotVisible
from tenants.membership import PortalRequest, member
from tenants.models import Membership


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def of_tenant(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """List the member's tokens, and make one for every engine that the member may visit."""
    return _show_or_make(request, member(request, tenant_slug), None)


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def of_instance(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """List the tokens of one engine, and make one."""
    membership = member(request, tenant_slug)
    row = instance_in(membership, slug)
    if not row.rights.wake:
        require_visit(membership, row.instance)
    return _show_or_make(request, membership, row.instance)


@require_POST
@login_required
def revoke(request: PortalRequest, tenant_slug: str, key_id: str) -> HttpResponse:
    """End a token at once."""
    membership = member(request, tenant_slug)
    token = manageable_tokens(membership).filter(key_id=key_id).first()
    if token is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    revoke_api_token(token=token, by=membership)
    messages.success(request, _("“%(name)s” is revoked.") % {"name": token.name})
    if token.instance is not None and request.POST.get("origin") == "instance":
        return redirect(reverse("instance", args=[tenant_slug, token.instance.slug]) + "?tab=api")
    return redirect("tenant-api", tenant_slug)


def _show_or_make(request: PortalRequest, membership: Membership, instance: Instance | None) -> HttpResponse:
    form = ApiTokenForm(request.POST or None)
    made = _make(form, membership, instance) if request.method == "POST" and form.is_valid() else None
    context = {
        "membership": membership,
        "instance": instance,
        "access": api_access(membership, instance, secret=made.secret if made else ""),
        "form": ApiTokenForm() if made else form,
        "made": made,
    }
    return render(request, "gateway/api_access.html", context, status=422 if form.errors else 200)


def _make(form: ApiTokenForm, membership: Membership, instance: Instance | None) -> Made | None:
    with refusals_in(form):
        return make_api_token(by=membership, instance=instance, wanted=form.wanted)
    return None
