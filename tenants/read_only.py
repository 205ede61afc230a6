"""Rows that operators look at, and act on through operations alone."""

from typing import Any

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline

from tenants.access import operator_may
from tenants.console.audited import AuditedAdmin


class ReadOnlyAdmin(AuditedAdmin):
    """Rows that the portal writes itself; `operate` is the right to act on them through operations."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django passes it
        """Nobody adds rows by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002 - same
        """Nobody changes them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002 - same
        """Nobody deletes them."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whoever may act on them may see them."""
        return bool(super().has_view_permission(request, obj)) or self.has_operate_permission(request)

    def has_operate_permission(self, request: HttpRequest, object_id: object = None) -> bool:  # noqa: ARG002 - unfold passes it
        """Take Django's permission to change the model for the right to act on its rows."""
        return operator_may(request.user, change_permission(self.opts.label_lower))


class RecordAdmin(ReadOnlyAdmin):
    """Rows that are only added to, and become many: fifty on a page, with what they refer to in the same query."""

    actions: tuple[str, ...] | None = None
    list_filter_submit = True
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """On a row's own page, too, where Django does not heed `list_select_related`."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.select_related(*self.list_select_related)


class ReadOnlyInline(TabularInline):  # type: ignore[misc]
    """Rows on the page of what they belong to, in a tab of their own, to look at alone."""

    extra = 0
    can_delete = False
    tab = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002 - Django passes it
        """Nobody adds rows here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002 - same
        """Nobody changes them here."""
        return False


def change_permission(label: str) -> str:
    """Name the permission to change a model, given its label."""
    app, model = label.split(".")
    return f"{app}.change_{model}"
