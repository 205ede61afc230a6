"""The Limits tab of the team pages: what is limited, how much of it is used, and who has set it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from engines.limit_forms import DecisionForm, LimitForm
from engines.queries.limits import all_uses, closed_requests, limits_set, pending_requests, people_of
from engines.quotas import standing_of
from tenants import access
from tenants.access import Action
from tenants.applying import is_applied
from tenants.membership import PortalRequest, member
from tenants.models import Membership
from tenants.quotas.measures import EXPLANATIONS, Measure, shown, to_number
from tenants.quotas.models import Quota, QuotaRequest
from tenants.quotas.operations import remove_quota, set_quota


@require_safe
@login_required
def index(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Show all limits."""
    membership = member(request, tenant_slug)
    access.require(membership, Action.SEE_TEAM)
    return _page(request, membership)


@require_POST
@login_required
def set_limit(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Set one, or change it."""
    membership = _manager(request, tenant_slug)
    form = LimitForm(request.POST, tenant=membership.tenant)
    if is_applied(form, lambda: set_quota(by=membership, scope=form.scope, limit=form.cleaned_data["amount"]), field="amount"):
        messages.success(request, _("The limit is set."))
        return redirect("limits", tenant_slug)
    return _page(request, membership, form)


@require_POST
@login_required
def remove(request: PortalRequest, tenant_slug: str, pk: int) -> HttpResponse:
    """Take away a limit that the team has set."""
    membership = _manager(request, tenant_slug)
    quota = get_object_or_404(Quota, pk=pk, tenant=membership.tenant)
    remove_quota(by=membership, quota=quota)
    messages.success(request, _("The limit is gone."))
    return redirect("limits", tenant_slug)


def _page(request: PortalRequest, membership: Membership, form: LimitForm | None = None) -> HttpResponse:
    tenant, manages = membership.tenant, access.may(membership, Action.MANAGE_LIMITS)
    uses = all_uses(standing_of(tenant, membership.user))
    context = {
        "membership": membership,
        "own_uses": [use for use in uses if use.limit.owner_id is not None],
        "team_uses": [use for use in uses if use.limit.owner_id is None],
        "limits": limits_set(tenant),
        "people": people_of(tenant),
        "measures": list(Measure),
        "explanations": [(measure.label, EXPLANATIONS[measure]) for measure in Measure],
        "pending": [_pending(each) for each in pending_requests(membership)],
        "closed": [_closed(each) for each in closed_requests(membership)],
        "may_manage": manages,
        "may_ask": access.may(membership, Action.LAUNCH),
        "form": form or (LimitForm(tenant=tenant) if manages else None),
    }
    return render(request, "engines/limits/index.html", context, status=422 if form else 200)


def _pending(each: QuotaRequest) -> dict[str, object]:
    granted = to_number(each.measure, each.wanted)
    form = DecisionForm(measure=each.measure, granted=granted, auto_id=f"id_{each.pk}_%s")
    return _closed(each) | {"form": form}


def _closed(each: QuotaRequest) -> dict[str, object]:
    granted = None if each.granted is None else shown(each.measure, each.granted)
    return {"request": each, "wanted": shown(each.measure, each.wanted), "granted": granted, "steps": each.steps.all()}


def _manager(request: PortalRequest, tenant_slug: str) -> Membership:
    membership = member(request, tenant_slug)
    access.require(membership, Action.MANAGE_LIMITS)
    return membership
