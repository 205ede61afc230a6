"""Limits for operators: the ceilings of a tenant on its page, and the requests that were made. Every click is an operation."""

from collections.abc import Callable, Iterable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Case, QuerySet, Value, When
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import ActionForm, BaseDialogForm
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from tenants import access
from tenants.console.audited import AuditedAdmin
from tenants.console.buttons import dialog_button
from tenants.errors import PortalError
from tenants.models import Membership, Tenant, User
from tenants.quotas import requests as operations
from tenants.quotas.amounts import AmountField, clean_amount
from tenants.quotas.measures import Measure, Scope, shown, to_number
from tenants.quotas.models import REASON_LENGTH, Quota, QuotaRequest, QuotaRequestStep
from tenants.quotas.operations import remove_quota, set_quota
from tenants.read_only import ReadOnlyInline


class CeilingForm(forms.ModelForm):
    """What a whole tenant may have of one measure; which one it is does not change any more once it is there."""

    amount = AmountField(
        label=gettext_lazy("At most"),
        required=False,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=gettext_lazy("Empty: no limit."),
    )

    class Meta:
        model = Quota
        fields = ("measure", "gpu_class")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            return
        for name in ("measure", "gpu_class"):
            self.fields[name].disabled = True
        if self.instance.limit is not None:
            self.initial["amount"] = to_number(self.instance.measure, self.instance.limit)

    def clean(self) -> dict[str, Any]:
        """Turn the number into an amount, and refuse what cannot be counted so."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("measure") == Measure.STORAGE and cleaned.get("gpu_class"):
            self.add_error("gpu_class", _("Storage has no GPU class."))
        clean_amount(self, cleaned.get("measure", ""))
        return cleaned


class CeilingInline(TabularInline):
    model = Quota
    form = CeilingForm
    extra = 0
    fields = ("measure", "gpu_class", "amount", "set_by", "set_at")
    readonly_fields = ("set_by", "set_at")
    autocomplete_fields = ("gpu_class",)
    hide_title = True
    verbose_name = gettext_lazy("ceiling")
    verbose_name_plural = gettext_lazy("ceilings")
    tab = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Quota]:
        return super().get_queryset(request).filter(author=Quota.Author.OPERATOR).select_related("gpu_class", "set_by")


def save_ceilings(request: HttpRequest, tenant: Tenant, formset: BaseInlineFormSet) -> None:
    """Set and remove what the operator changed, by the operations that a tenant's own page calls."""
    formset.save(commit=False)  # only has Django note what changed, for its own history
    by = access.as_operator(cast("User", request.user), tenant, permission="tenants.change_quota")
    for form in formset.deleted_forms:
        if form.instance.pk is not None:
            remove_quota(by=by, quota=form.instance)
    for form in formset.forms:
        if form.has_changed() and form not in formset.deleted_forms:
            cleaned = form.cleaned_data
            gpu_class = cleaned.get("gpu_class")
            set_quota(by=by, scope=Scope(cleaned["measure"], gpu_class.pk if gpu_class else None), limit=cleaned["amount"])


_WAITS = Case(
    When(state=QuotaRequest.State.PASSED_ON, then=Value(0)),
    When(state=QuotaRequest.State.OPEN, then=Value(1)),
    default=Value(2),
)
"""What waits for operators comes first, then what waits for admins."""


class WordForm(ActionForm):
    """The choice of an action, with a word to whoever asked."""

    word = forms.CharField(
        label="",
        required=False,
        max_length=REASON_LENGTH,
        widget=UnfoldAdminTextInputWidget({"placeholder": gettext_lazy("A word to whoever asked")}),
    )


class StepInline(ReadOnlyInline):
    model = QuotaRequestStep
    hide_title = True
    tab = False
    fields = readonly_fields = ("at", "kind", "by", "by_operator", "much", "word")

    @display(description=gettext_lazy("how much"))
    def much(self, step: QuotaRequestStep) -> str:
        return "–" if step.amount is None else shown(step.request.measure, step.amount)


class WordDialog(BaseDialogForm):
    """A word to whoever asked."""

    word = forms.CharField(
        label=gettext_lazy("A word to whoever asked"),
        required=False,
        max_length=REASON_LENGTH,
        widget=UnfoldAdminTextInputWidget,
    )


def _approve(by: Membership, asked: QuotaRequest, word: str) -> None:
    operations.approve_request(by=by, request=asked, amount=asked.wanted, word=word)


def _refuse(by: Membership, asked: QuotaRequest, word: str) -> None:
    operations.refuse_request(by=by, request=asked, word=word)


def _decide(
    request: HttpRequest, requests: Iterable[QuotaRequest], run: Callable[[Membership, QuotaRequest, str], None], word: str
) -> None:
    """Decide about each, and say what became of it."""
    done = 0
    for asked in requests:
        by = access.as_operator(cast("User", request.user), asked.tenant, permission="tenants.change_quotarequest")
        try:
            run(by, asked, word)
        except PortalError as refusal:
            messages.warning(request, f"{asked.tenant} / {asked.asker}: {refusal}")
        else:
            done += 1
    if done:
        messages.success(request, _("Decided: %(count)d") % {"count": done})


@admin.register(QuotaRequest)
class QuotaRequestAdmin(AuditedAdmin):
    recorded_by_operations = True
    list_display = ("tenant", "asker", "what", "reason", "standing", "created_at")
    list_filter = (("state", ChoicesDropdownFilter), ("tenant", AutocompleteSelectFilter))
    list_filter_submit = True
    list_select_related = ("tenant", "asker", "gpu_class")
    search_fields = ("tenant__name", "asker__username", "reason")
    fields = (
        ("tenant", "asker"),
        ("measure", "gpu_class", "whole_tenant"),
        ("wanted_shown", "granted_shown"),
        "reason",
        ("state", "created_at"),
    )
    readonly_fields = (
        "tenant",
        "asker",
        "measure",
        "gpu_class",
        "whole_tenant",
        "wanted_shown",
        "granted_shown",
        "reason",
        "state",
        "created_at",
    )
    inlines = (StepInline,)
    ordering = (_WAITS, "-created_at", "-pk")
    action_form = WordForm
    actions = ("approve", "refuse")
    actions_detail = ("approve_this", "refuse_this")
    show_full_result_count = False

    approve_this = dialog_button(
        "approve_this",
        title=gettext_lazy("Approve"),
        form=WordDialog,
        run=lambda request, asked, filled: _decide(request, [asked], _approve, filled["word"]),
        icon="check",
        permissions=["change"],
        variant=ActionVariant.PRIMARY,
    )
    refuse_this = dialog_button(
        "refuse_this",
        title=gettext_lazy("Refuse"),
        form=WordDialog,
        run=lambda request, asked, filled: _decide(request, [asked], _refuse, filled["word"]),
        icon="block",
        permissions=["change"],
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: QuotaRequest | None = None) -> bool:
        return False

    @action(description=gettext_lazy("Approve as wanted; ceilings rise with it"), permissions=["change"])
    def approve(self, request: HttpRequest, queryset: QuerySet[QuotaRequest]) -> None:
        """Grant each what it asks for."""
        _decide(request, queryset.select_related("tenant", "asker"), _approve, request.POST.get("word", ""))

    @action(description=gettext_lazy("Refuse, with a word"), permissions=["change"])
    def refuse(self, request: HttpRequest, queryset: QuerySet[QuotaRequest]) -> None:
        """Say no to each, with the same word."""
        _decide(request, queryset.select_related("tenant", "asker"), _refuse, request.POST.get("word", ""))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer what is still to be decided."""
        pending = QuotaRequest.objects.filter(pk=object_id, state__in=QuotaRequest.PENDING).exists()
        return super().get_actions_detail(request, object_id) if pending else []

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> HttpResponse:
        """There is nothing to save."""
        shown = context | {"show_save": False, "show_save_and_continue": False}
        return super().render_change_form(request, shown, *args, **kwargs)

    @display(description=gettext_lazy("what"), ordering="measure")
    def what(self, asked: QuotaRequest) -> str:
        whom = _("the whole team") if asked.whole_tenant else ""
        parts = (asked.get_measure_display(), asked.gpu_class, whom)
        return f"{shown(asked.measure, asked.wanted)} × {' · '.join(str(part) for part in parts if part)}"

    @display(description=gettext_lazy("wanted"))
    def wanted_shown(self, asked: QuotaRequest) -> str:
        return shown(asked.measure, asked.wanted)

    @display(description=gettext_lazy("granted"))
    def granted_shown(self, asked: QuotaRequest) -> str:
        return "–" if asked.granted is None else shown(asked.measure, asked.granted)

    @display(
        description=gettext_lazy("state"),
        label={"passed_on": "warning", "open": "info", "approved": "success", "refused": "danger"},
    )
    def standing(self, asked: QuotaRequest) -> tuple[str, str]:
        return asked.state, asked.get_state_display()
