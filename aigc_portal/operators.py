"""The frame of the operators' pages: what its sidebar leads to."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from tenants.impersonation.looking import looking_in
from tenants.models import User

_ICONS = {
    "engines.Instance": "memory",
    "engines.Volume": "hard_drive",
    "engines.InstanceEvent": "history",
    "engines.RunFact": "fact_check",
    "engines.Share": "group_add",
    "engines.Handover": "swap_horiz",
    "engines.IdleRule": "timer_off",
    "engines.Use": "visibility",
    "engines.Schedule": "calendar_clock",
    "engines.Engine": "widgets",
    "engines.EngineVersion": "deployed_code",
    "engines.GpuClass": "developer_board",
    "engines.Cluster": "dns",
    "engines.ClusterSecret": "key",
    "engines.Capacity": "grid_view",
    "tenants.Tenant": "apartment",
    "tenants.Membership": "badge",
    "tenants.User": "person",
    "tenants.QuotaRequest": "speed",
    "tenants.Notification": "notifications",
    "tenants.Delivery": "outgoing_mail",
    "tenants.WebhookEndpoint": "webhook",
    "tenants.AuditEvent": "policy",
    "auth.Group": "group",
    "gateway.ApiToken": "vpn_key",
    "billing.Price": "sell",
    "billing.Budget": "savings",
    "billing.UsageInterval": "schedule",
    "billing.Charge": "receipt_long",
    "billing.BillingPeriod": "calendar_month",
    "billing.FactDecision": "gavel",
    "billing.CapacityInterval": "timeline",
}

_PAGES = {
    "billing.Price": [(gettext_lazy("Price lists"), "price_change", "admin:billing_price_lists")],
    "billing.BillingPeriod": [(gettext_lazy("Closing of months"), "lock_clock", "admin:billing_billingperiod_cockpit")],
    "billing.FactDecision": [(gettext_lazy("Facts in doubt"), "rule", "admin:billing_factdecision_doubts")],
    "billing.CapacityInterval": [
        (gettext_lazy("Capacity and its costs"), "stacked_bar_chart", "admin:billing_capacityinterval_costs")
    ],
}


def environment(request: HttpRequest) -> tuple[str, str] | None:
    """Say on every page that the operator looks as somebody in the portal, which does not hold here."""
    present = looking_in(request.session)
    if present is None or present.is_over(timezone.now()):
        return None
    person = User.objects.filter(pk=present.person_id).first()
    return _("In the portal you look as %(person)s") % {"person": person}, "warning"


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Group the pages by what an operator is about to do; what the person may not see is left out."""
    groups = [
        (
            pgettext("what operators look after", "Running"),
            [
                "engines.Instance",
                "engines.Volume",
                "engines.Share",
                "engines.Handover",
                "engines.InstanceEvent",
                "engines.RunFact",
            ],
        ),
        (_("Release"), ["engines.IdleRule", "engines.Use", "engines.Schedule"]),
        (
            _("Catalog"),
            [
                "engines.Engine",
                "engines.EngineVersion",
                "engines.GpuClass",
                "engines.Cluster",
                "engines.ClusterSecret",
                "engines.Capacity",
            ],
        ),
        (
            _("People"),
            [
                *("tenants.Tenant", "tenants.Membership", "tenants.QuotaRequest", "tenants.User", "auth.Group"),
                *("gateway.ApiToken", "tenants.AuditEvent"),
            ],
        ),
        (_("Notifications"), ["tenants.Notification", "tenants.Delivery", "tenants.WebhookEndpoint"]),
        (
            _("Money"),
            [
                *("billing.Price", "billing.Budget", "billing.UsageInterval", "billing.Charge", "billing.BillingPeriod"),
                *("billing.FactDecision", "billing.CapacityInterval"),
            ],
        ),
    ]
    overview = {"title": _("Overview"), "icon": "dashboard", "link": reverse("admin:index")}
    shown: list[dict[str, Any]] = [{"title": None, "items": [overview]}]
    for title, labels in groups:
        items = [item for label in labels for item in _items(request, label)]
        if items:
            shown.append({"title": title, "separator": True, "items": items})
    return shown


def _items(request: HttpRequest, label: str) -> Iterator[dict[str, Any]]:
    """Yield where a table is, and the pages that show the same in another way; nothing to who may not see its rows."""
    model = apps.get_model(label)
    if not admin.site.is_registered(model) or not admin.site.get_model_admin(model).has_view_permission(request):
        return
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"  # noqa: SLF001 - Django's public name for it
    pages = [(title, icon, reverse(page)) for title, icon, page in _PAGES.get(label, ())]
    for title, icon, link in pages:
        yield {"title": title, "icon": icon, "link": link, "active": request.path == link}
    title = capfirst(model._meta.verbose_name_plural)  # noqa: SLF001 - same
    rows = {"title": title, "icon": _ICONS[label], "link": reverse(name)}
    # The theme marks every item below whose address the page is.
    yield {**rows, "active": False} if request.path in {link for _title, _icon, link in pages} else rows
