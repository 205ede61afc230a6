"""Tenants and memberships for operators: what changes rights or standing goes through the operations that pages use too."""

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from tenants import access
from tenants.console.audited import AuditedAdmin
from tenants.console.buttons import Run, dialog_button
from tenants.errors import PortalError
from tenants.models import Membership, Tenant, User
from tenants.quotas.admin import CeilingInline, save_ceilings
from tenants.quotas.models import Quota
from tenants.read_only import ReadOnlyInline
from tenants.team import operations, operations_tenant

CHANGE = "tenants.change_tenant"
_COLOURS = {"active": "success", "suspended": "danger", "ending": "warning", "deleted": "info"}


class OperatedAdmin(AuditedAdmin):
    """Rows that operations write: what one refuses is said on the page that was asked."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _or_say(request, lambda: super(OperatedAdmin, self).changeform_view(request, *args, **kwargs))

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _or_say(request, lambda: super(OperatedAdmin, self).delete_view(request, *args, **kwargs))

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _or_say(request, lambda: super(OperatedAdmin, self).changelist_view(request, *args, **kwargs))


def _or_say(request: HttpRequest, view: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        return view()
    except PortalError as refusal:
        messages.error(request, str(refusal))
        return redirect(request.get_full_path())


class MembershipInline(ReadOnlyInline):
    """Who belongs to whom, to look at: a role is changed on the membership's own page."""

    model = Membership
    fields = readonly_fields = ("user", "tenant", "role", "created_at", "last_seen_at")
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "tenant")


class TenantForm(forms.ModelForm):
    """A tenant's name is judged here as the operation judges it; a new one may have its first owner invited."""

    first_owner = forms.EmailField(
        label=_("First owner’s e-mail address"),
        required=False,
        help_text=_("They get an invitation, whether they have an account or not."),
        widget=UnfoldAdminTextInputWidget,
    )

    def clean_name(self) -> str:
        """Tidy the name, and compare it with others'."""
        try:
            return operations_tenant.free_name(self.cleaned_data["name"], besides=self.instance if self.instance.pk else None)
        except PortalError as refusal:
            raise forms.ValidationError(str(refusal)) from refusal

    def clean_slug(self) -> str:
        """Judge a new slug as the operation does."""
        slug = str(self.cleaned_data["slug"])
        try:
            operations_tenant.require_usable_slug(slug)
        except PortalError as refusal:
            raise forms.ValidationError(str(refusal)) from refusal
        return slug


class ReasonForm(BaseDialogForm):
    """Why a tenant is suspended, in words that its members read."""

    reason = forms.CharField(
        label=_("Why? Its members read it."), max_length=operations_tenant.REASON_LENGTH, widget=UnfoldAdminTextInputWidget
    )


class NameForm(BaseDialogForm):
    """The tenant's name, typed to confirm."""

    name = forms.CharField(label=_("Type the tenant’s name to confirm"), widget=UnfoldAdminTextInputWidget)


def _as_operator(act: Callable[[Membership, dict[str, Any]], str]) -> Run:
    """Make what a button does of an operation on a tenant: as operator of it, with what was done or why not as a message."""

    def run(request: HttpRequest, tenant: Tenant, filled: dict[str, Any]) -> None:
        try:
            by = access.as_operator(cast("User", request.user), tenant, permission=CHANGE)
            messages.success(request, act(by, filled))
        except PortalError as refusal:
            messages.warning(request, str(refusal))

    return run


@_as_operator
def _suspend(by: Membership, filled: dict[str, Any]) -> str:
    operations_tenant.suspend_tenant(by=by, reason=filled["reason"])
    return gettext("%(tenant)s is suspended.") % {"tenant": by.tenant}


@_as_operator
def _resume(by: Membership, _filled: dict[str, Any]) -> str:
    operations_tenant.resume_tenant(by=by)
    return gettext("%(tenant)s is no longer suspended.") % {"tenant": by.tenant}


@_as_operator
def _end(by: Membership, filled: dict[str, Any]) -> str:
    due_at = operations_tenant.ask_for_deletion(by=by, name=filled["name"])
    return gettext("%(tenant)s will be deleted at %(date)s.") % {"tenant": by.tenant, "date": f"{due_at:%F %R %Z}"}


@_as_operator
def _keep(by: Membership, _filled: dict[str, Any]) -> str:
    operations_tenant.keep_tenant(by=by)
    return gettext("%(tenant)s is not deleted after all.") % {"tenant": by.tenant}


class StandingFilter(admin.SimpleListFilter):
    """How tenants stand; those that are gone are shown when they are asked for."""

    title = _("standing")
    parameter_name = "standing"
    _QUERIES = {
        "active": Q(suspended_at=None, deletion_due_at=None),
        "suspended": Q(suspended_at__isnull=False, deleted_at=None),
        "ending": Q(deletion_due_at__isnull=False, deleted_at=None),
        "deleted": Q(deleted_at__isnull=False),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("active", _("active")),
            ("suspended", _("suspended")),
            ("ending", _("to be deleted")),
            ("deleted", _("deleted")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> QuerySet[Tenant]:
        wanted = self._QUERIES.get(str(self.value()))
        return queryset if wanted is None else queryset.filter(wanted)


@admin.register(Tenant)
class TenantAdmin(OperatedAdmin):
    form = TenantForm
    list_display = ("name", "slug", "standing", "member_count", "created_at")
    list_filter = (StandingFilter,)
    search_fields = ("name", "slug")
    readonly_fields = ("suspended_at", "suspended_reason", "deletion_due_at", "deleted_at")
    prepopulated_fields = {"slug": ("name",)}
    inlines = (MembershipInline, CeilingInline)
    show_full_result_count = False
    actions_detail = ("suspend", "resume", "end", "keep", "export")

    suspend = dialog_button(
        "suspend",
        title=_("Suspend"),
        consequence=_("Its engines are paused and members can only look. Nothing is deleted."),
        form=ReasonForm,
        run=_suspend,
        icon="pause_circle",
        permissions=["change"],
        variant=ActionVariant.WARNING,
    )
    resume = dialog_button(
        "resume",
        title=_("Lift the suspension"),
        consequence=_("Members can work again. Engines start when somebody opens them."),
        run=_resume,
        icon="play_circle",
        permissions=["change"],
        variant=ActionVariant.PRIMARY,
    )
    end = dialog_button(
        "end",
        title=_("Delete"),
        consequence=_("It stands still at once. After the time of grace engines, data, members and tokens are gone for good."),
        form=NameForm,
        run=_end,
        icon="delete",
        permissions=["change"],
        variant=ActionVariant.DANGER,
    )
    keep = dialog_button(
        "keep",
        title=_("Take the deletion back"),
        consequence=_("It stands as before."),
        run=_keep,
        icon="undo",
        permissions=["change"],
        variant=ActionVariant.PRIMARY,
    )

    @action(description=_("Export"), url_path="download", icon="download", permissions=["change"])
    def export(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect("operator_tenant_export", pk=object_id)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Return what no operation records itself: neither a name nor ceilings."""
        changes = super().construct_change_message(request, form, None, add=add)
        changes.fields.pop("name", None)
        return changes

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Leave it to the operation that founds a tenant."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        return super().get_queryset(request).annotate(member_count=Count("memberships"))

    def get_fields(self, request: HttpRequest, obj: Tenant | None = None) -> Any:
        limits = (("may_burst", "burst_after_seconds"),)
        if obj is None:
            return ("name", "slug", "first_owner", *limits)
        return ("name", "slug", ("suspended_at", "suspended_reason"), ("deletion_due_at", "deleted_at"), *limits)

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "slug") if obj else self.readonly_fields

    def get_prepopulated_fields(self, request: HttpRequest, obj: Tenant | None = None) -> dict[str, Any]:
        return {} if obj else self.prepopulated_fields

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        tenant = Tenant.objects.filter(pk=object_id).first()
        offered = _offered(tenant) if tenant is not None else set()
        return [each for each in super().get_actions_detail(request, object_id) if each.path in offered]

    def has_change_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        return super().has_change_permission(request, obj) and (not isinstance(obj, Tenant) or obj.deleted_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # rows of tenants stay; `end` is the way

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        operator = cast("User", request.user)
        if not change:
            operations_tenant.found_tenant(tenant=obj, by=operator, owner_address=form.cleaned_data["first_owner"])
            return
        name = obj.name
        obj.name = Tenant.objects.values_list("name", flat=True).get(pk=obj.pk)
        operations_tenant.rename_tenant(by=access.as_operator(operator, obj, permission=CHANGE), name=name)
        obj.name = name
        limits = [field for field in form.changed_data if field not in {"name", "slug", "first_owner"}]
        if limits:
            obj.save(update_fields=limits)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        if formset.model is Quota:
            save_ceilings(request, form.instance, formset)
        else:
            super().save_formset(request, form, formset, change)

    @display(description=_("members"), ordering="member_count")
    def member_count(self, tenant: Any) -> int:
        return int(tenant.member_count)

    @display(description=_("standing"), label=_COLOURS)
    def standing(self, tenant: Tenant) -> tuple[str, Any]:
        if tenant.deleted_at is not None:
            return "deleted", _("deleted")
        if tenant.deletion_due_at is not None:
            return "ending", _("to be deleted")
        return ("suspended", _("suspended")) if tenant.suspended_at else ("active", _("active"))


def _offered(tenant: Tenant) -> set[str]:
    """Which buttons fit how the tenant stands; whether they are allowed, the operations say."""
    if tenant.deleted_at is not None:
        return {"download"}
    suspension = "suspend" if tenant.suspended_at is None else "resume"
    return {"download", suspension, "end" if tenant.deletion_due_at is None else "keep"}


class MembershipForm(forms.ModelForm):
    """Only a role changes: who leaves one tenant for another has two memberships, and what hangs on the one goes with it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in {"user", "tenant"} & set(self.fields):
            self.fields[name].disabled = self.instance.pk is not None


@admin.register(Membership)
class MembershipAdmin(OperatedAdmin):
    recorded_by_operations = True
    form = MembershipForm
    list_display = ("user", "tenant", "role", "provider", "lapsed_at", "created_at", "last_seen_at")
    list_filter = (("role", ChoicesDropdownFilter), ("tenant", AutocompleteSelectFilter))
    list_filter_submit = True
    list_select_related = ("user", "tenant")
    search_fields = ("user__username", "user__email", "tenant__name")
    autocomplete_fields = ("user", "tenant")
    readonly_fields = ("provider", "lapsed_at", "last_seen_at")
    show_full_result_count = False

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        permission = "tenants.change_membership" if change else "tenants.add_membership"
        by = access.as_operator(cast("User", request.user), obj.tenant, permission=permission)
        if change:
            operations.change_role(member=obj, by=by, role=obj.role)
        else:
            stored = operations.add_member(user=obj.user, role=obj.role, by=by)
            obj.pk, obj.created_at = stored.pk, stored.created_at  # Django's page goes on with this row

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        by = access.as_operator(cast("User", request.user), obj.tenant, permission="tenants.delete_membership")
        operations.remove_member(member=obj, by=by)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        for each in queryset.select_related("user", "tenant"):
            self.delete_model(request, each)
