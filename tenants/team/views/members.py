"""Who is in the team, and in which role."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from tenants import access
from tenants.access import Action
from tenants.applying import is_applied
from tenants.errors import NotAllowed, NotVisible, PortalError
from tenants.membership import PortalRequest, member
from tenants.models import Role
from tenants.team import operations, queries
from tenants.team.forms import RoleForm
from tenants.team.views.dialogs import ask, done, filled


@login_required
@require_safe
def index(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Show the members and what their roles mean; to those who manage them, the invitations too."""
    membership = member(request, tenant_slug)
    access.require(membership, Action.SEE_TEAM)
    manages = access.may(membership, Action.MANAGE_MEMBERS)
    context = {
        "membership": membership,
        "manages": manages,
        "members": queries.members_of(membership),
        "invitations": queries.invitations_of(membership) if manages else [],
        "roles": queries.every_role(),
    }
    return render(request, "tenants/team/members.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def role(request: PortalRequest, tenant_slug: str, pk: int) -> HttpResponse:
    """Give a member another role."""
    membership = member(request, tenant_slug)
    access.require(membership, Action.MANAGE_MEMBERS)
    other = queries.member_in(membership, pk)
    operations.require_manage(membership, other.role)
    form = RoleForm(filled(request), reader=membership, initial={"role": other.role})
    if is_applied(form, lambda: operations.change_role(member=other, by=membership, role=form.cleaned_data["role"])):
        word = Role(form.cleaned_data["role"]).label
        return done(request, _team(tenant_slug), _("%(person)s is %(role)s now.") % {"person": other.user, "role": word})
    context = {"membership": membership, "other": other, "form": form, "provider": queries.provider_name(other)}
    return ask(request, "tenants/team/_role.html", context, failed=bool(form.errors))


@login_required
@require_http_methods(["GET", "POST"])
def remove(request: PortalRequest, tenant_slug: str, pk: int) -> HttpResponse:
    """Name the consequence, then end somebody's membership."""
    membership = member(request, tenant_slug)
    access.require(membership, Action.MANAGE_MEMBERS)
    other = queries.member_in(membership, pk)
    operations.require_manage(membership, other.role)
    refusal = ""
    if request.method == "POST":
        try:
            operations.remove_member(member=other, by=membership)
        except (NotVisible, NotAllowed):
            raise
        except PortalError as error:
            refusal = str(error)
        else:
            return done(request, _team(tenant_slug), _("%(person)s is no longer a member.") % {"person": other.user})
    context = {"membership": membership, "other": other, "refusal": refusal, "provider": queries.provider_name(other)}
    return ask(request, "tenants/team/_remove.html", context, failed=bool(refusal))


@login_required
@require_http_methods(["GET", "POST"])
def leave(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Name the consequence, then end one's own membership."""
    membership = member(request, tenant_slug)
    refusal = ""
    if request.method == "POST":
        try:
            operations.leave(member=membership)
        except PortalError as error:
            refusal = str(error)
        else:
            request.session.pop("last_tenant", None)
            return done(request, reverse("home"), _("You left %(tenant)s.") % {"tenant": membership.tenant})
    context = {"membership": membership, "refusal": refusal}
    return ask(request, "tenants/team/_leave.html", context, failed=bool(refusal))


def _team(tenant_slug: str) -> str:
    return reverse("team", args=[tenant_slug])
