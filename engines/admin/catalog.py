"""What can be launched: engines and their versions."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from engines.admin.badges import badge
from engines.admin.schema_form import EngineVersionForm
from engines.models import Engine, EngineVersion
from engines.operations import versions as operations
from engines.operations.versions import FIXED_FIELDS
from engines.states import InstanceState
from tenants.console.audited import AuditedAdmin
from tenants.console.buttons import dialog_button
from tenants.errors import PortalError
from tenants.read_only import ReadOnlyInline

OFFERED: dict[str, set[str]] = {
    "publish-one": {"draft", "deprecated"},
    "make-default-one": {"published"},
    "deprecate-one": {"published"},
    "copy-one": set(EngineVersion.Status),
}
"""In which status a button is worth showing; whether it is allowed, the operation says."""


def _each(request: HttpRequest, versions: Iterable[EngineVersion], operation: Callable[..., object], done: str) -> None:
    """Apply the operation to each version; tell what was done, and what was refused and why."""
    for version in versions:
        try:
            result = operation(version=version, by=request.user)
        except PortalError as refusal:
            messages.warning(request, str(refusal))
        else:
            messages.success(request, f"{done}: {result or version}")


class VersionInline(ReadOnlyInline):
    """The versions at a glance; each has a page of its own to be changed on."""

    model = EngineVersion
    fields = readonly_fields = ("version", "title", "status_badge", "is_default", "released_at")
    show_change_link = True

    @display(description=_("status"))
    def status_badge(self, version: EngineVersion) -> SafeString:
        return badge(version.status, str(version.get_status_display()))


@admin.register(Engine)
class EngineAdmin(AuditedAdmin):
    list_display = ("mark_shown", "name", "slug", "family", "version_count", "running", "offered")
    list_display_links = ("name",)
    list_filter = ("hidden", ("family", ChoicesDropdownFilter))
    search_fields = ("name", "slug", "summary")
    fields = (("name", "slug"), "summary", ("mark", "mark_colour"), ("family", "homepage"), "hidden")
    inlines = (VersionInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Engine]:
        running = Count("versions__instances", distinct=True, filter=Q(versions__instances__state=InstanceState.RUNNING))
        return super().get_queryset(request).annotate(version_count=Count("versions", distinct=True), running=running)

    def get_readonly_fields(self, request: HttpRequest, obj: Engine | None = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """An address without a scheme means https."""
        if db_field.name == "homepage":
            kwargs["assume_scheme"] = "https"
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @display(description="")
    def mark_shown(self, engine: Engine) -> SafeString:
        return format_html(
            '<svg class="op-mark" viewBox="0 0 32 32">'
            '<rect width="32" height="32" fill="{}"/><text x="16" y="16">{}</text></svg>',
            engine.mark_colour,
            engine.mark or engine.name[:2],
        )

    @display(description=_("offered"), boolean=True, ordering="-hidden")
    def offered(self, engine: Engine) -> bool:
        return not engine.hidden

    @display(description=_("versions"), ordering="version_count")
    def version_count(self, engine: Any) -> int:
        return int(engine.version_count)

    @display(description=_("running instances"), ordering="running")
    def running(self, engine: Any) -> int:
        return int(engine.running)


@admin.register(EngineVersion)
class EngineVersionAdmin(AuditedAdmin):
    form = EngineVersionForm
    list_display = ("engine", "version", "title", "status_badge", "default", "runs", "released_at")
    list_filter = (("engine", RelatedDropdownFilter), ("status", ChoicesDropdownFilter), "is_default")
    list_filter_submit = True
    list_display_links = ("version",)
    list_select_related = ("engine",)
    search_fields = ("version", "title", "engine__name", "engine__slug", "image")
    actions = ("publish", "deprecate", "make_default", "copy_to_draft")
    actions_detail = ("publish_one", "make_default_one", "deprecate_one", "copy_one")
    fieldsets = (
        (None, {"fields": (("engine", "version"), "title", ("status_badge", "is_default"))}),
        (_("What runs"), {"fields": ("image", "command", "args", ("port", "health_path"), "environment", "data_mounts")}),
        (_("Only on Kubernetes"), {"fields": ("secret_environment", "shared_mounts", "pod_patch")}),
        (_("What it needs"), {"fields": (("startup_limit_seconds", "run_as"), ("shm_mib", "min_gpu_memory_mib"))}),
        (_("How its use is told"), {"fields": ("activity",)}),
        (_("Data of other versions"), {"fields": ("migrate_command", "migrates_from")}),
        (_("Where this comes from"), {"fields": ("sources", "notes", "released_at")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: EngineVersion | None = None) -> tuple[str, ...]:
        moved_by_actions = ("status_badge", "is_default")
        fixed = obj is not None and obj.status != EngineVersion.Status.DRAFT
        return (*moved_by_actions, *FIXED_FIELDS) if fixed else moved_by_actions

    def get_form(self, request: HttpRequest, obj: EngineVersion | None = None, **kwargs: Any) -> Any:
        """What is published does not change, so there is nothing of it to check again."""
        if obj is not None and obj.status != EngineVersion.Status.DRAFT:
            kwargs["form"] = ModelForm
        return super().get_form(request, obj, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: EngineVersion | None = None) -> bool:
        draft = obj is None or obj.status == EngineVersion.Status.DRAFT
        return draft and super().has_delete_permission(request, obj)

    def has_copy_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return bool(self.has_add_permission(request))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Drafts are deleted one by one, on their own pages."""
        return {name: each for name, each in super().get_actions(request).items() if name != "delete_selected"}

    @display(description=_("status"), ordering="status")
    def status_badge(self, version: EngineVersion) -> SafeString:
        return badge(version.status, str(version.get_status_display()))

    @display(description=_("runs"))
    def runs(self, version: EngineVersion) -> str:
        return Truncator(version.image or " ".join(map(str, version.command))).chars(56)

    @display(description=_("default"), ordering="is_default", label="primary")
    def default(self, version: EngineVersion) -> str | None:
        return gettext("default") if version.is_default else None

    @admin.action(description=_("Publish"), permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[EngineVersion]) -> None:
        _each(request, queryset, operations.publish_version, gettext("Published"))

    @admin.action(description=_("Deprecate"), permissions=["change"])
    def deprecate(self, request: HttpRequest, queryset: QuerySet[EngineVersion]) -> None:
        _each(request, queryset, operations.deprecate_version, gettext("Deprecated"))

    @admin.action(description=_("Make the default"), permissions=["change"])
    def make_default(self, request: HttpRequest, queryset: QuerySet[EngineVersion]) -> None:
        _each(request, queryset, operations.make_default_version, gettext("Now the default"))

    @admin.action(description=_("Copy to a new draft"), permissions=["copy"])
    def copy_to_draft(self, request: HttpRequest, queryset: QuerySet[EngineVersion]) -> None:
        _each(request, queryset, operations.copy_version, gettext("Copied to a draft"))

    publish_one = dialog_button(
        "publish_one",
        title=_("Publish"),
        icon="publish",
        ask=_("Publish this version?"),
        consequence=_("Everybody can launch it from then on, and what it runs no longer changes."),
        run=lambda request, version, _filled: _each(request, [version], operations.publish_version, gettext("Published")),
        permissions=["change"],
        variant=ActionVariant.PRIMARY,
    )
    make_default_one = dialog_button(
        "make_default_one",
        title=_("Make the default"),
        icon="star",
        ask=_("Make this version the default?"),
        consequence=_("Artists who pick no version get this one at their next launch. What runs is not touched."),
        run=lambda request, version, _filled: _each(
            request, [version], operations.make_default_version, gettext("Now the default")
        ),
        permissions=["change"],
    )
    deprecate_one = dialog_button(
        "deprecate_one",
        title=_("Deprecate"),
        icon="do_not_disturb_on",
        ask=_("Deprecate this version?"),
        consequence=_("It is no longer recommended. Instances that use it go on."),
        run=lambda request, version, _filled: _each(request, [version], operations.deprecate_version, gettext("Deprecated")),
        permissions=["change"],
    )
    copy_one = dialog_button(
        "copy_one",
        title=_("Copy to a new draft"),
        icon="content_copy",
        ask=_("Copy this version to a new draft?"),
        consequence=_("The copy can be changed until it is published."),
        run=lambda request, version, _filled: _each(request, [version], operations.copy_version, gettext("Copied to a draft")),
        permissions=["copy"],
    )

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Show the buttons that fit the version's status."""
        row = self.get_object(request, str(object_id))  # which takes any text that an address can hold
        offered = super().get_actions_detail(request, object_id)
        return [each for each in offered if row is not None and row.status in OFFERED[each.path]]
