"""Instances: to look at, and to act on through operations."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display
from unfold.enums import ActionVariant

from engines.admin.acting import ask_about, operate
from engines.admin.badges import badge
from engines.admin.words import STATE_WORDS, StateFilter, transition_words
from engines.admin.writing import WritingAdmin
from engines.models import Instance, InstanceEvent
from engines.operations import instances as operations
from engines.states import COMING_UP, InstanceState
from tenants.console.buttons import dialog_button
from tenants.models import Membership
from tenants.read_only import ReadOnlyInline

OFFERED: dict[str, frozenset[str]] = {
    "pause-one": frozenset({InstanceState.RUNNING, *COMING_UP}),
    "resume-one": frozenset({InstanceState.STOPPED, InstanceState.FAILED}),
    "restart-one": frozenset({InstanceState.RUNNING}),
    "delete-one": frozenset(InstanceState) - {InstanceState.DELETING, InstanceState.DELETED},
}
"""In which states a button is worth showing; whether it is allowed, the operation says."""


def _pause(instance: Instance, by: Membership) -> None:
    operations.pause_instance(instance=instance, by=by)


def _resume(instance: Instance, by: Membership) -> None:
    operations.resume_instance(instance=instance, by=by)


def _restart(instance: Instance, by: Membership) -> None:
    operations.restart_instance(instance=instance, by=by)


def _delete_keeping_data(instance: Instance, by: Membership) -> None:
    operations.delete_instance(instance=instance, by=by, keep_volume=True)


def _delete_with_data(instance: Instance, by: Membership) -> None:
    operations.delete_instance(instance=instance, by=by, keep_volume=False)


class AgeFilter(DropdownFilter):
    """How long the instance has been in its state."""

    title = _("in this state for")
    parameter_name = "age"
    _HOURS = {"hour": (0, 1), "day": (1, 24), "week": (24, 168), "longer": (168, None)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("hour", _("less than an hour")),
            ("day", _("an hour to a day")),
            ("week", _("a day to a week")),
            ("longer", _("more than a week")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Instance]) -> QuerySet[Instance]:
        if self.value() not in self._HOURS:
            return queryset
        at_least, less_than = self._HOURS[str(self.value())]
        now = timezone.now()
        queryset = queryset.filter(state_since__lte=now - timedelta(hours=at_least))
        return queryset if less_than is None else queryset.filter(state_since__gt=now - timedelta(hours=less_than))


class EventInline(ReadOnlyInline):
    model = InstanceEvent
    fields = readonly_fields = ("at", "kind", "move", "why", "actor", "evidence")
    ordering = ("-pk",)
    per_page = 20
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[InstanceEvent]:
        return super().get_queryset(request).select_related("actor")

    @display(description=_("transition"))
    def move(self, event: InstanceEvent) -> str:
        return transition_words(event)

    @display(description=_("why"))
    def why(self, event: InstanceEvent) -> str:
        return str(event.explanation.sentence)


@admin.register(Instance)
class InstanceAdmin(WritingAdmin):
    list_display = ("name", "state_badge", "wish", "why", "tenant", "owner", "engine_version", "gpu_class", "cluster", "age")
    list_filter = (
        ("state", StateFilter),
        ("desired_state", StateFilter),
        ("reason", ChoicesDropdownFilter),
        ("tenant", AutocompleteSelectFilter),
        ("owner", AutocompleteSelectFilter),
        ("engine_version__engine", RelatedDropdownFilter),
        ("gpu_class", RelatedDropdownFilter),
        ("cluster", RelatedDropdownFilter),
        AgeFilter,
    )
    list_filter_submit = True
    list_fullwidth = True
    list_per_page = 50
    list_select_related = ("tenant", "owner", "engine_version__engine", "gpu_class", "cluster")
    search_fields = ("name", "slug", "tenant__name", "owner__username", "owner__email")
    search_help_text = _("Name, slug, tenant, owner.")
    actions = ("pause", "resume", "restart", "write_to_owners", "delete_keeping_data", "delete_with_data")
    actions_detail = ("pause_one", "resume_one", "restart_one", "delete_one")
    inlines = (EventInline,)
    fieldsets = (
        (None, {"fields": (("name", "slug"), ("state_badge", "desired"), "why", "evidence")}),
        (
            _("What and where"),
            {"fields": (("tenant", "owner"), ("engine_version", "gpu_class"), ("cluster", "pool"), "volume")},
        ),
        (
            _("Run"),
            {"fields": (("run_id", "upstream"), ("state_since", "deadline_at"), ("queued_at", "ready_at"))},
        ),
        (
            _("Bookkeeping"),
            {
                "fields": (
                    ("id", "generation"),
                    ("restart_generation", "applied_generation", "settled_generation"),
                    ("created_at", "deleted_at", "stray_since"),
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Instance]:
        return super().get_queryset(request).select_related(*self.list_select_related, "volume")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        instance = self.get_object(request, str(object_id))  # which takes any text that an address can hold
        state = instance.state if instance else None
        offered = super().get_actions_detail(request, object_id)
        return [each for each in offered if state in OFFERED[each.path]]

    @display(description=_("state"), ordering="state")
    def state_badge(self, instance: Instance) -> SafeString:
        return badge(instance.state)

    @display(description=_("desired state"))
    def desired(self, instance: Instance) -> str:
        return str(STATE_WORDS[instance.desired_state])

    @display(description=_("wish"), ordering="desired_state", empty_value="")
    def wish(self, instance: Instance) -> str | None:
        return str(STATE_WORDS[instance.desired_state]) if instance.desired_state != instance.state else None

    @display(description=_("why"), ordering="reason")
    def why(self, instance: Instance) -> str:
        return str(instance.explanation.sentence) if instance.explanation else ""

    @display(description=pgettext_lazy("duration of a state", "for"), ordering="-state_since")
    def age(self, instance: Instance) -> str:
        return timesince(instance.state_since, depth=1)

    @admin.action(description=_("Pause"), permissions=["operate"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        operate(request, queryset, _pause, gettext("Asked to pause"))

    @admin.action(description=_("Resume or retry"), permissions=["operate"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        operate(request, queryset, _resume, gettext("Asked to resume"))

    @admin.action(description=_("Restart"), permissions=["operate"])
    def restart(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        operate(request, queryset, _restart, gettext("Asked to restart"))

    @admin.action(description=_("Delete, keep the data"), permissions=["operate"])
    def delete_keeping_data(self, request: HttpRequest, queryset: QuerySet[Instance]) -> HttpResponse | None:
        return self._delete(request, queryset, "delete_keeping_data", keep_volume=True)

    @admin.action(description=_("Delete, data to the trash"), permissions=["operate"])
    def delete_with_data(self, request: HttpRequest, queryset: QuerySet[Instance]) -> HttpResponse | None:
        return self._delete(request, queryset, "delete_with_data", keep_volume=False)

    def _delete(self, request: HttpRequest, queryset: QuerySet[Instance], name: str, *, keep_volume: bool) -> HttpResponse | None:
        """Ask once with the consequence named, then delete."""
        if "confirmed" in request.POST:
            operate(request, queryset, _delete_keeping_data if keep_volume else _delete_with_data, gettext("Asked to delete"))
            return None
        context = {"title": _("Delete instances"), "action": name, "keep_volume": keep_volume}
        return ask_about(self, request, queryset, "delete_instances", context)

    pause_one = dialog_button(
        "pause_one",
        title=_("Pause"),
        icon="pause",
        ask=_("Pause this instance?"),
        consequence=_("Its work in progress ends; its data is kept and its GPU becomes free."),
        run=lambda request, instance, _filled: operate(request, [instance], _pause, gettext("Asked to pause")),
        permissions=["operate"],
    )
    resume_one = dialog_button(
        "resume_one",
        title=_("Resume"),
        icon="play_arrow",
        ask=_("Resume this instance?"),
        consequence=_("It takes a GPU and is charged to its tenant from then on."),
        run=lambda request, instance, _filled: operate(request, [instance], _resume, gettext("Asked to resume")),
        permissions=["operate"],
        variant=ActionVariant.PRIMARY,
    )
    restart_one = dialog_button(
        "restart_one",
        title=_("Restart"),
        icon="restart_alt",
        ask=_("Restart this instance?"),
        consequence=_("Its work in progress ends; it comes up again on the same data."),
        run=lambda request, instance, _filled: operate(request, [instance], _restart, gettext("Asked to restart")),
        permissions=["operate"],
    )
    delete_one = dialog_button(
        "delete_one",
        title=_("Delete"),
        icon="delete",
        ask=_("Delete this instance?"),
        consequence=_("It stops and is removed for good. Its data is kept as a volume that can be attached to another instance."),
        run=lambda request, instance, _filled: operate(request, [instance], _delete_keeping_data, gettext("Asked to delete")),
        permissions=["operate"],
        variant=ActionVariant.DANGER,
    )
