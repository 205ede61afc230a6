"""Rows that operators change by forms: each change is in the audit log, field by field, and in no second log."""

from typing import Any, cast
from urllib.parse import urlencode

from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin

from tenants.audit.operations import Subject, record
from tenants.console.changes import Changes, changes_of
from tenants.models import Tenant, User


class AuditedAdmin(ModelAdmin):  # type: ignore[misc]
    """What every table of the console is; in place of Django's log of the admin, which nobody but operators could see."""

    recorded_by_operations = False
    """True where saving and deleting go through operations, which record what they do themselves."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:  # noqa: ARG002
        """Return what `log_addition` and `log_change` are handed: a `Changes`."""
        return changes_of(form, formsets, add=add)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Record a new row."""
        self._record(request, "console.added", obj, message.fields)
        self._record_others(request, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Record what has changed, if anything has."""
        if message.fields:
            self._record(request, "console.changed", obj, message.fields)
        self._record_others(request, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Record rows that are about to be deleted, in the transaction that does it."""
        for row in queryset:
            self._record(request, "console.deleted", row, {})

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Lead to the row's part of the audit log."""
        row = self.get_object(request, object_id)
        if row is None:
            return cast("HttpResponse", super().history_view(request, object_id, extra_context))
        of_row = subject_of(row)
        query = urlencode({"subject_kind__exact": of_row.kind, "subject_id__exact": of_row.id})
        return HttpResponseRedirect(f"{reverse('admin:tenants_auditevent_changelist')}?{query}")

    def _record_others(self, request: HttpRequest, message: Changes) -> None:
        for kind, row, fields in message.others:
            record_row(request, kind, row, fields)

    def _record(self, request: HttpRequest, kind: str, row: Model, fields: dict[str, object]) -> None:
        if not self.recorded_by_operations:
            record_row(request, kind, row, fields)


def record_row(request: HttpRequest, kind: str, row: Model, fields: dict[str, object]) -> None:
    """Record what an operator's form does to one row; members of its tenant see it, too."""
    details: dict[str, object] = {"model": str(row._meta.verbose_name)}  # noqa: SLF001 - Django's public name for it
    tenant = row if isinstance(row, Tenant) else getattr(row, "tenant", None)
    if kind == "console.deleted" and isinstance(row, Tenant):
        tenant = None  # nothing may refer to what goes
    record(kind, actor=cast("User", request.user), tenant=tenant, subject=subject_of(row), details=details | fields)


def subject_of(row: Model) -> Subject:
    """Name a row as operations do: by its slug if it has one."""
    key = getattr(row, "slug", None) or row.pk
    return Subject(str(row._meta.model_name), str(key), str(row))  # noqa: SLF001 - Django's public name for it
