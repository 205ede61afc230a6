"""Price lists with their history, and a month rated at another price."""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from billing.accounts import calendar_of
from billing.money import PLACES, Money
from billing.periods import Month
from billing.price_lists import price_lists, what_if
from billing.pricing import LIMIT
from billing.typed_amounts import TypedAmount
from engines.models import GpuClass
from tenants.access import operator_may
from tenants.console.fields import one_or_all
from tenants.console.pages import console_page
from tenants.models import Tenant


class WhoseForm(forms.Form):
    """Which histories are shown."""

    of_class = one_or_all(gettext_lazy("GPU class"), GpuClass.objects.all())
    of_tenant = one_or_all(gettext_lazy("Tenant"), Tenant.objects.all())


class WhatIfForm(forms.Form):
    """Which month to rate again, and at what price."""

    gpu_class = forms.ModelChoiceField(
        label=gettext_lazy("GPU class"), queryset=GpuClass.objects.all(), widget=UnfoldAdminSelectWidget
    )
    tenant = forms.ModelChoiceField(
        label=gettext_lazy("Whose time"),
        queryset=Tenant.objects.all(),
        required=False,
        empty_label=gettext_lazy("all charged at the list price"),
        widget=UnfoldAdminSelectWidget,
    )
    per_hour = TypedAmount(
        label=gettext_lazy("Price per hour"),
        min_value=0,
        max_value=LIMIT,
        decimal_places=PLACES,
        widget=UnfoldAdminTextInputWidget,
    )
    month = forms.RegexField(
        label=gettext_lazy("Month"), regex=r"^[12][0-9]{3}-(0[1-9]|1[0-2])$", widget=UnfoldAdminTextInputWidget
    )


class PriceLists(ModelAdmin):
    """The page, for the admin of prices."""

    def get_urls(self) -> list[URLPattern]:
        """Add it before Django's own, which would take its address for a row."""
        lists = self.admin_site.admin_view(self.lists)
        return [path("lists/", lists, name="billing_price_lists"), *super().get_urls()]

    def lists(self, request: HttpRequest) -> HttpResponse:
        """Show what holds, what held and what will; below it, if asked, what a month would have come to."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = timezone.now()
        whose = WhoseForm(request.GET)
        chosen = whose.cleaned_data if whose.is_valid() else {}
        last_month = Month.of(now.date()).preceding
        asked = WhatIfForm(request.GET if "per_hour" in request.GET else None, initial={"month": str(last_month)})
        context: dict[str, Any] = {
            "title": _("Price lists"),
            "whose": whose,
            "lists": price_lists(_scope(chosen.get("of_class"), chosen.get("of_tenant")), now=now),
            "what_if": asked,
            "supposed": _supposed(asked.cleaned_data) if asked.is_bound and asked.is_valid() else None,
            # Amounts of tenants are of the books, which not everybody sees who may look at prices.
            "may_suppose": operator_may(request.user, "billing.view_charge"),
            "may_add": self.has_add_permission(request),
        }
        if not context["may_suppose"]:
            context |= {"what_if": None, "supposed": None}
        return console_page(self, request, "admin/billing/price_lists.html", context)


def _scope(gpu_class: GpuClass | None, tenant: Tenant | None) -> Q:
    of_class = Q(gpu_class=gpu_class) if gpu_class else Q()
    return of_class & (Q(tenant=tenant) | Q(tenant=None) if tenant else Q())


def _supposed(given: dict[str, Any]) -> dict[str, Any]:
    tenant, month = given["tenant"], Month.parse(given["month"])
    calendar = calendar_of(tenant) if tenant else None
    currency = calendar.period(month).currency if calendar else settings.DEFAULT_CURRENCY
    rows = what_if(given["gpu_class"], given["per_hour"], month, tenant=tenant, currency=currency)
    charged, supposed = (Money.sum((getattr(row, name) for row in rows), currency) for name in ("charged", "supposed"))
    price = Money(Decimal(given["per_hour"]), currency)
    return {"rows": rows, "charged": charged, "supposed": supposed, "difference": supposed - charged, "price": price, **given}
