"""Budgets for operators, who may lift one: raise its amount or take it out of force. Every save is an operation."""

from typing import Any, cast

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display

from billing.budgets.operations import change_budget, wanted_of
from billing.models import Budget, BudgetAlert
from tenants import access
from tenants.access import operator_may
from tenants.console.audited import AuditedAdmin
from tenants.models import User


class AlertInline(TabularInline):
    model = BudgetAlert
    extra = 0
    can_delete = False
    hide_title = True
    fields = readonly_fields = ("at", "period_starts", "threshold", "basis", "amount", "reached")

    def has_add_permission(self, request: HttpRequest, obj: Budget | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Budget | None = None) -> bool:
        return False


@admin.register(Budget)
class BudgetAdmin(AuditedAdmin):
    """What a budget is about is the tenant's; operators change how much it is, what happens, and whether it is in force."""

    recorded_by_operations = True
    list_display = ("name", "tenant", "scope_shown", "amount_shown", "recurrence", "action", "active")
    list_filter = (
        ("tenant", AutocompleteSelectFilter),
        ("action", ChoicesDropdownFilter),
        ("recurrence", ChoicesDropdownFilter),
        "active",
    )
    list_filter_submit = True
    list_select_related = ("tenant", "person", "gpu_class")
    search_fields = ("name", "tenant__name", "tag", "person__username")
    fields = (
        ("tenant", "name"),
        "scope_shown",
        ("amount", "currency"),
        ("action", "grace_minutes", "active"),
        ("recurrence", "thresholds", "basis"),
        ("made_by", "made_at"),
    )
    readonly_fields = (
        *("tenant", "name", "scope_shown", "currency", "recurrence", "thresholds", "basis"),
        *("made_by", "made_at"),
    )
    inlines = (AlertInline,)
    ordering = ("tenant__name", "name")
    actions = None
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Budget | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Budget | None = None) -> bool:
        return operator_may(request.user, "billing.change_budget")

    def save_model(self, request: HttpRequest, obj: Budget, form: ModelForm, change: bool) -> None:
        """Change it as its tenant would."""
        by = access.as_operator(cast("User", request.user), obj.tenant, permission="billing.change_budget")
        change_budget(by=by, budget=obj, wanted=wanted_of(obj))

    @display(description=pgettext_lazy("of a budget", "for the costs of"))
    def scope_shown(self, budget: Budget) -> Any:
        return budget.about or budget.scope.label

    @display(description=_("amount"), ordering="amount")
    def amount_shown(self, budget: Budget) -> str:
        return str(budget.money)
