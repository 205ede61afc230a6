"""When engines are released: rules, what looks have found, schedules, and the past replayed under another idle time."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminIntegerFieldWidget

from engines.idle.policy import Policy
from engines.models import Engine, IdleRule, Schedule, Use
from engines.models.idle import WEEKDAYS, day_bits
from engines.queries.idle import SENTENCES, policy_sentence
from engines.queries.simulating import CHOICES, simulate
from tenants.console.audited import AuditedAdmin
from tenants.console.fields import one_or_all
from tenants.console.pages import console_page
from tenants.models import Tenant
from tenants.read_only import RecordAdmin


class IdleRuleForm(forms.ModelForm):
    """Working days as boxes, not as bits."""

    days = forms.TypedMultipleChoiceField(
        label=_("Working days"),
        coerce=int,
        choices=list(enumerate(WEEKDAYS)),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = IdleRule
        fields = (
            "name", "position", "enabled", "tenant", "engine", "gpu_class", "exempt", "idle_minutes", "warm_up_minutes",
            "minimum_run_minutes", "maximum_keep_minutes", "maximum_life_minutes", "maximum_busy_minutes", "end_busy",
            "release_unknown", "working_from", "working_until", "time_zone",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("days", [day for day in range(7) if self.instance.working_days >> day & 1])

    def clean(self) -> dict[str, Any]:
        """Hours are whole or not at all."""
        cleaned = super().clean() or {}
        hours = [bool(cleaned.get(name)) or cleaned.get(name) is not None for name in ("working_from", "working_until")]
        if any(hours) and not (all(hours) and cleaned.get("days")):
            self.add_error("working_from", _("Working hours need a beginning, an end and at least one day."))
        self.instance.working_days = day_bits(cleaned.get("days") or [])
        return cleaned


@admin.register(IdleRule)
class IdleRuleAdmin(AuditedAdmin):
    form = IdleRuleForm
    list_before_template = "admin/engines/idlerule_tools.html"
    list_display = ("name", "position", "enabled", "author", "tenant", "engine", "gpu_class", "idle_minutes", "exempt")
    list_filter = (("author", ChoicesDropdownFilter), ("tenant", AutocompleteSelectFilter), ("gpu_class", RelatedDropdownFilter))
    list_filter_submit = True
    list_editable = ("position", "enabled")
    list_select_related = ("tenant", "engine", "gpu_class")
    autocomplete_fields = ("tenant",)
    search_fields = ("name",)
    readonly_fields = ("author",)
    fieldsets = (
        (None, {"fields": ("name", "position", ("enabled", "author"))}),
        (
            _("Which engines"),
            {"fields": ("tenant", "engine", "gpu_class"), "description": _("What is left empty fits every one.")},
        ),
        (
            _("When idle"),
            {"fields": ("exempt", "idle_minutes", "warm_up_minutes", "minimum_run_minutes", "maximum_keep_minutes")},
        ),
        (_("Limits"), {"fields": ("maximum_life_minutes", "maximum_busy_minutes", "end_busy", "release_unknown")}),
        (
            _("Working hours"),
            {
                "fields": ("days", "working_from", "working_until", "time_zone"),
                "description": _("Within them nothing is released for being idle."),
            },
        ),
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Say above the list what holds where no rule fits."""
        return super().changelist_view(request, {**(extra_context or {}), "without_rule": policy_sentence(Policy())})

    def get_urls(self) -> list[URLPattern]:
        simulator = self.admin_site.admin_view(self.simulator)
        return [path("simulator/", simulator, name="engines_idlerule_simulator"), *super().get_urls()]

    def simulator(self, request: HttpRequest) -> HttpResponse:
        """Replay the last thirty days of stored use under other idle times."""
        form = SimulatorForm(request.GET or None)
        given = form.cleaned_data if form.is_bound and form.is_valid() else {}
        tenant, engine = given.get("tenant"), given.get("engine")
        outcomes = simulate(
            warm_up=timedelta(minutes=given.get("warm_up_minutes", 10)),
            tenant_id=tenant.pk if tenant else None,
            engine_id=engine.pk if engine else None,
        )
        rows = [
            (each, [(minutes, each.gpu_hours_saved(minutes), each.outcomes[minutes]) for minutes in CHOICES]) for each in outcomes
        ]
        context = {"title": _("Idle time simulator"), "form": form, "rows": rows}
        return console_page(self, request, "admin/engines/idle_simulator.html", context)


class SimulatorForm(forms.Form):
    """What to replay."""

    tenant = one_or_all(_("Tenant"), Tenant.objects.all())
    engine = one_or_all(_("Engine"), Engine.objects.all())
    warm_up_minutes = forms.IntegerField(
        label=_("Warm-up, minutes"), min_value=0, max_value=1440, initial=10, widget=UnfoldAdminIntegerFieldWidget
    )


@admin.register(Use)
class UseAdmin(RecordAdmin):
    list_display = ("instance", "tenant", "sentence", "due_at", "user_at", "api_at", "busy_since")
    list_filter = (("why", ChoicesDropdownFilter), ("instance__tenant", AutocompleteSelectFilter))
    list_select_related = ("instance__tenant",)
    search_fields = ("instance__name", "instance__slug")
    ordering = ("due_at",)

    @display(description=_("tenant"), ordering="instance__tenant__name")
    def tenant(self, use: Use) -> str:
        return str(use.instance.tenant)

    @display(description=_("why it is on"), ordering="why")
    def sentence(self, use: Use) -> str:
        return str(SENTENCES[use.why]) if use.why else ""


@admin.register(Schedule)
class ScheduleAdmin(RecordAdmin):
    list_display = ("tenant", "instance", "action", "at", "day_names", "time_zone", "enabled", "made_by")
    list_filter = (("tenant", AutocompleteSelectFilter), ("action", ChoicesDropdownFilter))
    list_select_related = ("tenant", "instance", "made_by")
    search_fields = ("instance__name", "tenant__name")

    @display(description=_("days"))
    def day_names(self, schedule: Schedule) -> str:
        return schedule.day_names
