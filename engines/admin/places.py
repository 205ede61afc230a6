"""Where engines run: GPU classes, clusters and their slots."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm, ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from engines.admin.badges import badge
from engines.admin.cluster_tools import ClusterTools
from engines.admin.schema_form import GpuClassForm
from engines.capacity import slots_taken
from engines.clusters import config_problem
from engines.models import Capacity, Cluster, GpuClass
from tenants.console.audited import AuditedAdmin
from tenants.read_only import ReadOnlyAdmin, ReadOnlyInline


def watcher_badge(watched_at: Any) -> SafeString:
    """Say when the cluster's watcher was last alive."""
    if watched_at is None:
        return badge("silent", gettext("never"))
    age = max(timezone.now() - watched_at, timedelta(0))
    if age < Cluster.SILENT_AFTER:
        return badge("fresh", gettext("watched"))
    return badge("silent", gettext("silent for %(age)s") % {"age": timesince(watched_at, depth=1)})


@admin.register(GpuClass)
class GpuClassAdmin(AuditedAdmin):
    form = GpuClassForm
    list_display = ("name", "slug", "vendor", "sharing", "memory_mib", "cpu_millis", "ram_mib", "max_per_tenant", "offered")
    list_filter = (("vendor", ChoicesDropdownFilter), ("sharing", ChoicesDropdownFilter), "hidden")
    list_filter_submit = True
    search_fields = ("name", "slug", "summary")
    fieldsets = (
        (None, {"fields": (("name", "slug"), "summary", ("vendor", "sharing"), ("memory_mib", "count", "part_millis"))}),
        (_("Resources"), {"fields": (("cpu_millis", "ram_mib"), "resource", "extra_limits", "dra")}),
        (
            _("Placement on Kubernetes"),
            {
                "fields": (
                    "node_selector",
                    "affinity_preferred",
                    "tolerations",
                    ("runtime_class_name", "scheduler_name"),
                    "pod_labels",
                    "pod_annotations",
                    "pod_patch",
                    "discover",
                )
            },
        ),
        (_("Who may use it"), {"fields": (("max_per_tenant", "hidden"),)}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: GpuClass | None = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    @display(description=_("offered"), boolean=True, ordering="-hidden")
    def offered(self, gpu_class: GpuClass) -> bool:
        return not gpu_class.hidden

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"discover": {"by": "slots"}} | super().get_changeform_initial_data(request)


class ClusterForm(ModelForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "config" in self.fields:  # absent for those who may only look
            self.fields["config"].help_text = gettext(
                'For Kubernetes pairs such as {"kubeconfig": "/etc/aigc/onprem.kubeconfig"} or {"kubeconfig_secret": "onprem"}, '
                "a cluster secret that you store once the cluster is saved. docs/kubernetes.md lists all keys."
            )

    def clean_config(self) -> dict[str, Any]:
        """A mapping of which the kind of cluster can make something: a wrong one would stop everything that runs there."""
        config = self.cleaned_data["config"] or {}
        if not isinstance(config, dict):
            raise ValidationError(gettext('Must be pairs, such as {"root": "/srv/engines"}.'))
        if not self.instance.pk and {"kind", "slug"} - self.cleaned_data.keys():
            return config  # what was typed there is refused already
        row = {"kind": self.instance.kind, "slug": self.instance.slug} | self.cleaned_data  # both are fixed once it exists
        problem = config_problem(row["kind"], row["slug"], config)
        if problem:
            raise ValidationError(gettext("No cluster can be made of this: %(problem)s") % {"problem": problem})
        return config


class CapacityInline(ReadOnlyInline):
    """The cluster itself says what it has: the watcher writes it down, and people change the cluster's configuration."""

    model = Capacity


@admin.register(Cluster)
class ClusterAdmin(ClusterTools):
    form = ClusterForm
    list_display = ("name", "slug", "kind", "location", "enabled", "watcher", "slot_count")
    list_filter = (("kind", ChoicesDropdownFilter), ("location", ChoicesDropdownFilter), "enabled")
    search_fields = ("name", "slug")
    fields = (("name", "slug"), ("kind", "location"), "enabled", "config", "watcher")
    readonly_fields = ("watcher",)
    inlines = (CapacityInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Cluster]:
        return super().get_queryset(request).prefetch_related("capacities__gpu_class")

    def get_readonly_fields(self, request: HttpRequest, obj: Cluster | None = None) -> tuple[str, ...]:
        return ("slug", "kind", "watcher") if obj else ("watcher",)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, ...]:
        """What the watcher counted goes with its cluster, although nobody may delete it by itself."""
        listed, counts, forbidden, protected = super().get_deleted_objects(objs, request)
        return listed, counts, forbidden - {Capacity._meta.verbose_name}, protected  # noqa: SLF001 - Django's public name for it

    @display(description=_("watcher"), ordering="watched_at")
    def watcher(self, cluster: Cluster) -> SafeString:
        return watcher_badge(cluster.watched_at)

    @display(description=_("slots"))
    def slot_count(self, cluster: Cluster) -> str:
        return ", ".join(
            f"{each.slots} × {each.gpu_class}" + (f" ({each.get_pool_display()})" if each.pool else "")
            for each in cluster.capacities.all()
            if each.slots
        )


@admin.register(Capacity)
class CapacityAdmin(ReadOnlyAdmin):
    list_display = ("cluster", "pool", "gpu_class", "taken", "slots", "largest_node", "evidence")
    list_filter = (("cluster", RelatedDropdownFilter), ("gpu_class", RelatedDropdownFilter))
    list_filter_submit = True
    list_select_related = ("cluster", "gpu_class")
    search_fields = ("cluster__name", "gpu_class__name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Capacity]:
        return super().get_queryset(request).annotate(taken=slots_taken())

    @display(description=_("in use"), ordering="taken")
    def taken(self, capacity: Any) -> int:
        return int(capacity.taken)
