"""Volumes: to look at, trash and restore."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.db.models.expressions import OuterRef, Subquery
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from engines.admin.acting import operate
from engines.admin.badges import badge
from engines.models import Instance, Volume
from engines.operations import volumes as operations
from engines.states import InstanceState
from tenants.models import Membership
from tenants.read_only import ReadOnlyAdmin


@admin.register(Volume)
class VolumeAdmin(ReadOnlyAdmin):
    list_display = ("name", "state_badge", "tenant", "owner", "cluster", "instance_name", "used", "size_gib", "purge_at")
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("tenant", AutocompleteSelectFilter),
        ("owner", AutocompleteSelectFilter),
        ("cluster", RelatedDropdownFilter),
    )
    list_filter_submit = True
    list_per_page = 50
    list_select_related = ("tenant", "owner", "cluster")
    search_fields = ("name", "slug", "tenant__name", "owner__username")
    actions = ("trash", "restore")
    fieldsets = (
        (None, {"fields": (("name", "slug"), ("state_badge", "purge_at"), ("tenant", "owner"), ("cluster", "instance_name"))}),
        (
            _("Data"),
            {
                "fields": (
                    ("size_gib", "used"),
                    "written_by",
                    ("created_at", "provisioned_at", "deleted_at"),
                    "id",
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Volume]:
        holder = Instance.objects.filter(~Q(state=InstanceState.DELETED), volume=OuterRef("pk"))
        return super().get_queryset(request).annotate(instance_name=Subquery(holder.values("name")[:1]))

    @display(description=_("state"), ordering="state")
    def state_badge(self, volume: Volume) -> SafeString:
        return badge(volume.state, str(volume.get_state_display()))

    @display(description=_("instance"), ordering="instance_name")
    def instance_name(self, volume: Any) -> str | None:
        name: str | None = volume.instance_name
        return name

    @display(description=_("used"), ordering="used_bytes")
    def used(self, volume: Volume) -> str | None:
        return None if volume.used_bytes is None else filesizeformat(volume.used_bytes)

    @admin.action(description=_("Move to the trash"), permissions=["operate"])
    def trash(self, request: HttpRequest, queryset: QuerySet[Volume]) -> None:
        operate(request, queryset, _trash, gettext("Moved to the trash"))

    @admin.action(description=_("Restore from the trash"), permissions=["operate"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Volume]) -> None:
        operate(request, queryset, _restore, gettext("Restored"))


def _trash(volume: Volume, by: Membership) -> None:
    operations.trash_volume(volume=volume, by=by)


def _restore(volume: Volume, by: Membership) -> None:
    operations.restore_volume(volume=volume, by=by)
