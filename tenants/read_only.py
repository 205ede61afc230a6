"""Rows that operators look at, and act on through operations alone."""

from django.db.models import Model
from django.http import HttpRequest

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


def change_permission(label: str) -> str:
    """Name the permission to change a model, given its label."""
    app, model = label.split(".")
    return f"{app}.change_{model}"
