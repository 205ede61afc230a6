"""Inviting people into the team."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from tenants import access
from tenants.access import Action
from tenants.applying import is_applied
from tenants.membership import PortalRequest, member
from tenants.models import Role
from tenants.team import operations_invitations as operations
from tenants.team import queries
from tenants.team.forms import InviteForm
from tenants.team.views.dialogs import ask, done, filled


@login_required
@require_http_methods(["GET", "POST"])
def invite(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Write to an address that its reader may become a member."""
    membership = member(request, tenant_slug)
    access.require(membership, Action.MANAGE_MEMBERS)
    form = InviteForm(filled(request), reader=membership, initial={"role": Role.MEMBER})
    if is_applied(form, lambda: operations.invite(by=membership, **form.cleaned_data), field="address"):
        sentence = _("An invitation is on its way to %(address)s.") % {"address": form.cleaned_data["address"]}
        return done(request, reverse("team", args=[tenant_slug]), sentence)
    context = {"membership": membership, "form": form}
    return ask(request, "tenants/team/_invite.html", context, failed=bool(form.errors))


@login_required
@require_POST
def resend(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Write once more; the link before ends."""
    membership = member(request, tenant_slug)
    access.require(membership, Action.MANAGE_MEMBERS)
    invitation = queries.invitation_in(membership, slug)
    operations.resend(invitation=invitation, by=membership)
    messages.success(request, _("Another mail is on its way to %(address)s.") % {"address": invitation.address})
    return redirect("team", tenant_slug=tenant_slug)


@login_required
@require_POST
def revoke(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Take an invitation back."""
    membership = member(request, tenant_slug)
    access.require(membership, Action.MANAGE_MEMBERS)
    invitation = queries.invitation_in(membership, slug)
    operations.revoke(invitation=invitation, by=membership)
    messages.success(request, _("The invitation to %(address)s is taken back.") % {"address": invitation.address})
    return redirect("team", tenant_slug=tenant_slug)
