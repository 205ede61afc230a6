"""The Budgets tab of the costs pages."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.accounts import calendar_of
from billing.budgets import operations
from billing.budgets.forms import BudgetForm, typed
from billing.budgets.queries import budget_in, budget_rows, visible_budgets, with_alerts
from billing.models import Budget
from engines.queries.projects import projects_of
from tenants import access
from tenants.access import Action
from tenants.applying import is_applied
from tenants.membership import PortalRequest, member
from tenants.models import Membership


@require_safe
@login_required
def index(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """List the budgets that concern the member."""
    membership = member(request, tenant_slug)
    access.require(membership, Action.SEE)
    now = timezone.now()
    context = {
        "membership": membership,
        "rows": budget_rows(membership, with_alerts(visible_budgets(membership)), now=now),
        "may_manage": access.may(membership, Action.MANAGE_BUDGETS),
        "zone": calendar_of(membership.tenant).period_at(now).time_zone,
    }
    return render(request, "billing/budgets/index.html", context)


@require_http_methods(["GET", "POST"])
@login_required
def make(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Add one."""
    membership = _manager(request, tenant_slug)
    form = _form(request, membership)

    def apply() -> None:
        operations.make_budget(by=membership, wanted=form.wanted)

    if request.method == "POST" and is_applied(form, apply, reader=request.user):
        messages.success(request, _("The budget is saved."))
        return redirect("budgets", tenant_slug)
    return _page(request, membership, form, None)


@require_http_methods(["GET", "POST"])
@login_required
def change(request: PortalRequest, tenant_slug: str, pk: int) -> HttpResponse:
    """Change one."""
    membership = _manager(request, tenant_slug)
    budget = budget_in(membership, pk)
    form = _form(request, membership, budget)

    def apply() -> None:
        operations.change_budget(by=membership, budget=budget, wanted=form.wanted)

    if request.method == "POST" and is_applied(form, apply, reader=request.user):
        messages.success(request, _("Saved."))
        return redirect("budgets", tenant_slug)
    return _page(request, membership, form, budget)


@require_POST
@login_required
def delete(request: PortalRequest, tenant_slug: str, pk: int) -> HttpResponse:
    """Remove one."""
    membership = _manager(request, tenant_slug)
    operations.delete_budget(by=membership, budget=budget_in(membership, pk))
    messages.success(request, _("The budget is gone."))
    return redirect("budgets", tenant_slug)


def _manager(request: PortalRequest, tenant_slug: str) -> Membership:
    membership = member(request, tenant_slug)
    access.require(membership, Action.MANAGE_BUDGETS)
    return membership


def _form(request: PortalRequest, membership: Membership, budget: Budget | None = None) -> BudgetForm:
    currency = calendar_of(membership.tenant).currency_at(timezone.now())
    initial = typed(budget) if budget else {"tag": request.GET.get("project", "")}
    data = request.POST if request.method == "POST" else None
    return BudgetForm(data, initial=initial, tenant=membership.tenant, currency=currency)


def _page(request: PortalRequest, membership: Membership, form: BudgetForm, budget: Budget | None) -> HttpResponse:
    context = {"membership": membership, "form": form, "budget": budget, "projects": projects_of(membership)}
    return render(request, "billing/budgets/form.html", context, status=422 if form.errors else 200)
