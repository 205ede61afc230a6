"""Writing to the owners of chosen instances, about maintenance for instance."""

from typing import cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminTextareaWidget

from engines.admin.acting import ask_about
from engines.models import Instance
from engines.operations.messages import LENGTH, write_to_owners
from tenants.models import User
from tenants.read_only import ReadOnlyAdmin


class MessageForm(forms.Form):
    """What to write."""

    message = forms.CharField(label=_("Message"), max_length=LENGTH, widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}))


class WritingAdmin(ReadOnlyAdmin):
    """The action in the list of instances: asks what to write, then writes."""

    @admin.action(description=_("Write to owners"), permissions=["operate"])
    def write_to_owners(self, request: HttpRequest, queryset: QuerySet[Instance]) -> HttpResponse | None:
        """Ask, or do it."""
        form = MessageForm(request.POST if "confirmed" in request.POST else None)
        instances = queryset.select_related("tenant", "owner")
        if form.is_valid():
            count = write_to_owners(instances=instances, by=cast("User", request.user), message=form.cleaned_data["message"])
            said = ngettext("%(count)d owner was written to.", "%(count)d owners were written to.", count)
            messages.success(request, said % {"count": count})
            return None
        context = {"title": _("Write to owners"), "action": "write_to_owners", "form": form}
        return ask_about(self, request, instances, "write_to_owners", context)
