"""What capacity costs, used and idle: day by day, and the history that it is worked out from."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from unfold.contrib.filters.admin import RangeDateTimeFilter, RelatedDropdownFilter

from billing import recent_windows
from billing.admin.books import BookAdmin
from billing.calendars import Calendar
from billing.capacity_costs import Used, capacity_costs
from billing.models import CapacityInterval
from billing.windows import parse
from tenants.console.pages import console_page


@admin.register(CapacityInterval)
class CapacityIntervalAdmin(BookAdmin):
    list_display = ("starts_at", "ends_at", "cluster", "pool", "gpu_class", "slots")
    list_filter = (
        ("cluster", RelatedDropdownFilter),
        ("gpu_class", RelatedDropdownFilter),
        ("starts_at", RangeDateTimeFilter),
    )
    list_select_related = ("cluster", "gpu_class")
    ordering = ("-starts_at", "-pk")

    def get_urls(self) -> list[URLPattern]:
        costs = self.admin_site.admin_view(self.costs)
        return [path("costs/", costs, name="billing_capacityinterval_costs"), *super().get_urls()]

    def costs(self, request: HttpRequest) -> HttpResponse:
        """Show by cluster and class what was taken and what was idle, in days of UTC and at list prices."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        chosen = recent_windows.offered(request.GET.get("window", ""))
        calendar, now = Calendar.of("UTC", settings.DEFAULT_CURRENCY), timezone.now()
        window = parse(chosen, calendar, now)
        places = capacity_costs(window, calendar, now=now)
        context: dict[str, Any] = {
            "title": _("Capacity and its costs"),
            "window": window,
            "windows": recent_windows.choices(chosen),
            "places": places,
            "total": sum((place.total for place in places), Used()),
            "currency": settings.DEFAULT_CURRENCY,
        }
        return console_page(self, request, "admin/billing/capacity_costs.html", context)
