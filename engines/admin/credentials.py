"""Credentials of clusters: operators write them and nobody reads them again."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.widgets import UnfoldAdminTextareaWidget

from engines.models import ClusterSecret
from engines.operations.clusters import forget_secret, store_secret
from tenants.console.audited import AuditedAdmin
from tenants.models import User


class WriteOnlyTextarea(UnfoldAdminTextareaWidget):
    """A field that never shows what it holds, not even when the form comes back with an error."""

    def format_value(self, value: Any) -> str:
        return ""


class ClusterSecretForm(forms.ModelForm):
    value = forms.CharField(
        label=_("Value"),
        strip=False,
        widget=WriteOnlyTextarea(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_("For instance a whole kubeconfig. It is encrypted and never shown again."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["value"].required = False
            self.fields["value"].help_text = _("Leave it empty to keep what is stored.")


@admin.register(ClusterSecret)
class ClusterSecretAdmin(AuditedAdmin):
    recorded_by_operations = True
    form = ClusterSecretForm
    fields = (("cluster", "name"), "value", "updated_at")
    list_display = ("name", "cluster", "updated_at")
    list_filter = (("cluster", RelatedDropdownFilter),)
    list_filter_submit = True
    list_select_related = ("cluster",)
    search_fields = ("name", "cluster__name")

    def get_readonly_fields(self, request: HttpRequest, obj: ClusterSecret | None = None) -> tuple[str, ...]:
        return ("cluster", "name", "updated_at") if obj else ("updated_at",)

    @method_decorator(sensitive_post_parameters("value"))
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Keep the value out of error reports."""
        return super().changeform_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: ClusterSecret, form: Any, change: bool) -> None:
        """Store what was typed; nothing was typed to keep it."""
        if form.cleaned_data["value"]:
            stored = store_secret(
                cluster=obj.cluster, name=obj.name, value=form.cleaned_data["value"], by=cast("User", request.user)
            )
            obj.pk, obj.sealed, obj.updated_at = stored.pk, stored.sealed, stored.updated_at

    def delete_model(self, request: HttpRequest, obj: ClusterSecret) -> None:
        forget_secret(secret=obj, by=cast("User", request.user))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ClusterSecret]) -> None:
        for secret in queryset.select_related("cluster"):
            forget_secret(secret=secret, by=cast("User", request.user))
