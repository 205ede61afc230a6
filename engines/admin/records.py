"""What happened: append-only rows, to look at."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from engines.admin.words import transition_words
from engines.models import InstanceEvent, RunFact
from tenants.read_only import RecordAdmin


@admin.register(InstanceEvent)
class InstanceEventAdmin(RecordAdmin):
    list_display = ("at", "instance", "tenant", "kind", "move", "why", "actor")
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("reason", ChoicesDropdownFilter),
        ("instance__tenant", AutocompleteSelectFilter),
    )
    list_select_related = ("instance__tenant", "actor")
    search_fields = ("instance__name", "instance__slug", "run_id")
    ordering = ("-pk",)

    @display(description=_("tenant"), ordering="instance__tenant__name")
    def tenant(self, event: InstanceEvent) -> str:
        return str(event.instance.tenant)

    @display(description=_("transition"))
    def move(self, event: InstanceEvent) -> str:
        return transition_words(event)

    @display(description=_("why"), ordering="reason")
    def why(self, event: InstanceEvent) -> str:
        return str(event.explanation.sentence)


@admin.register(RunFact)
class RunFactAdmin(RecordAdmin):
    list_display = ("at", "kind", "source", "instance", "tenant", "owner", "gpu_class", "engine_version", "run_id", "observed_at")
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("source", ChoicesDropdownFilter),
        ("tenant", AutocompleteSelectFilter),
        ("gpu_class", RelatedDropdownFilter),
    )
    list_select_related = ("instance", "tenant", "owner", "gpu_class", "engine_version__engine")
    search_fields = ("instance__name", "instance__slug", "run_id")
    ordering = ("-pk",)
