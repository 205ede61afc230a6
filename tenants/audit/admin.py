"""The audit log of all tenants, for operators: to look at and to take along."""

from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, DropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from tenants.audit.exports import export_audit
from tenants.audit.models import AuditEvent
from tenants.audit.queries import Wanted, kinds_by_group
from tenants.models import User
from tenants.read_only import RecordAdmin


class WhatFilter(DropdownFilter):
    """By kind, or by what kinds are about; neither is a choice of the field, so that a new one needs no migration."""

    title = _("what")
    parameter_name = "what"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Offer each group before its kinds."""
        return [
            row
            for group, words, kinds in kinds_by_group()
            for row in [(group, words), *((kind, f"{words}: {did}") for kind, did in kinds)]
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        """Narrow to it."""
        return Wanted(what=str(self.value() or "")).of(queryset)


@admin.register(AuditEvent)
class AuditEventAdmin(RecordAdmin):
    list_before_template = "admin/tenants/audit_tools.html"
    list_display = ("at", "tenant", "actor", "behind", "did_shown", "thing_shown", "via", "address")
    list_filter = (
        WhatFilter,
        ("via", ChoicesDropdownFilter),
        ("tenant", AutocompleteSelectFilter),
        ("actor", AutocompleteSelectFilter),
        ("behind", AutocompleteSelectFilter),
        ("at", RangeDateTimeFilter),
    )
    list_fullwidth = True
    list_select_related = ("tenant", "actor", "behind")
    date_hierarchy = "at"
    search_fields = ("subject_name", "subject_id", "actor__username", "behind__username", "tenant__name")
    search_help_text = _("Thing, person, operator, tenant.")
    ordering = ("-at", "-pk")
    fields = (
        ("at", "did_shown"),
        ("actor", "behind", "tenant"),
        ("subject_kind", "subject_id", "thing_shown"),
        ("via", "address", "token"),
        "told",
        "kind",
    )

    @display(description=_("what"), ordering="kind")
    def did_shown(self, event: AuditEvent) -> str:
        return event.did

    @display(description=_("thing"), ordering="subject_name")
    def thing_shown(self, event: AuditEvent) -> str:
        return event.thing

    @display(description=_("details"))
    def told(self, event: AuditEvent) -> str:
        return "\n".join(f"{label}: {value}" for label, value in event.lines)

    def get_urls(self) -> list[URLPattern]:
        export = self.admin_site.admin_view(self.export)
        return [path("export/", export, name="tenants_auditevent_export"), *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Send what the filters leave that the address has, as the list's own does."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        shown = self.get_changelist_instance(request).get_queryset(request)
        user = cast("User", request.user)
        return export_audit(by=user, tenant=None, wanted=Wanted(), events=shown.order_by("-at", "-pk"))
