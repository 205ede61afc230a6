"""The books, to look at; the one thing to enter is a price."""

from typing import Any, cast

from django.contrib import admin
from django.db.models import DecimalField, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from billing.admin.cockpit import Cockpit
from billing.admin.price_lists import PriceLists
from billing.models import BillingPeriod, Charge, Price, UsageInterval
from billing.pricing import set_price, set_storage_price
from billing.typed_amounts import TypedAmount
from tenants.access import operator_may
from tenants.models import User
from tenants.read_only import ReadOnlyAdmin


class BookAdmin(ReadOnlyAdmin):
    actions = None
    list_filter_submit = True
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related(*self.list_select_related)


@admin.register(Price)
class PriceAdmin(PriceLists, BookAdmin):
    """A price is never changed: the next one is added, and ends it."""

    recorded_by_operations = True

    list_display = ("of_what", "for_whom", "an_hour", "starts_at", "ends_at", "created_by", "created_at")
    list_filter = (("gpu_class", RelatedDropdownFilter), ("tenant", AutocompleteSelectFilter))
    list_select_related = ("gpu_class", "tenant", "created_by")
    search_fields = ("gpu_class__name", "tenant__name")
    autocomplete_fields = ("gpu_class", "tenant")
    formfield_overrides = {DecimalField: {"form_class": TypedAmount, "widget": UnfoldAdminTextInputWidget}}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return operator_may(request.user, "billing.add_price")

    def get_fields(self, request: HttpRequest, obj: Price | None = None) -> tuple[str, ...]:
        chosen = ("gpu_class", "storage_class", "tenant", "per_hour", "list_per_hour", "starts_at")
        return (*chosen, "ends_at", "currency", "created_by", "created_at") if obj else chosen

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"starts_at": timezone.now()} | super().get_changeform_initial_data(request)

    def save_model(self, request: HttpRequest, obj: Price, form: ModelForm, change: bool) -> None:
        """Enter it as everybody does; what was charged since it begins is corrected. Raises PriceRefused."""
        shared: dict[str, Any] = {
            "tenant": obj.tenant,
            "per_hour": obj.per_hour,
            "list_per_hour": obj.list_per_hour,
            "starts_at": obj.starts_at,
            "by": cast("User", request.user),
        }
        if obj.gpu_class is None:
            entered = set_storage_price(storage_class=obj.storage_class, **shared)
        else:
            entered = set_price(gpu_class=obj.gpu_class, **shared)
        obj.pk, obj.currency = entered.pk, entered.currency

    @display(description=pgettext_lazy("of a price", "of"), ordering="gpu_class__name")
    def of_what(self, price: Price) -> Any:
        return price.gpu_class or price.storage_class or _("storage, per GiB")

    @display(description=pgettext_lazy("of a price", "for"), ordering="tenant__name")
    def for_whom(self, price: Price) -> Any:
        return price.tenant or _("everybody")

    @display(description=_("an hour"), ordering="per_hour")
    def an_hour(self, price: Price) -> str:
        return price.money.exact


@admin.register(UsageInterval)
class UsageIntervalAdmin(BookAdmin):
    list_display = ("starts_at", "ends_at", "kind", "tenant", "owner", "instance", "volume", "gpu_class", "run_id")
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("tenant", AutocompleteSelectFilter),
        ("owner", AutocompleteSelectFilter),
        ("gpu_class", RelatedDropdownFilter),
        ("starts_at", RangeDateTimeFilter),
    )
    list_select_related = ("tenant", "owner", "instance", "volume", "gpu_class")
    search_fields = ("instance__name", "instance__slug", "volume__name", "run_id", "tag", "tenant__name", "owner__username")
    ordering = ("-starts_at", "-pk")


@admin.register(Charge)
class ChargeAdmin(BookAdmin):
    list_display = (
        *("starts_at", "tenant", "owner", "category", "resource_name", "gpu_class", "kind", "seconds", "price_shown"),
        *("amount_shown", "period_shown"),
    )
    list_filter = (
        ("category", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("tenant", AutocompleteSelectFilter),
        ("owner", AutocompleteSelectFilter),
        ("gpu_class", RelatedDropdownFilter),
        ("starts_at", RangeDateTimeFilter),
    )
    list_select_related = ("tenant", "owner", "gpu_class", "period")
    search_fields = ("resource_name", "instance__slug", "run_id", "line_key", "tag", "tenant__name", "owner__username")
    ordering = ("-starts_at", "-pk")

    @display(description=_("an hour"), ordering="per_hour")
    def price_shown(self, charge: Charge) -> str:
        return "–" if charge.unit_price is None else charge.unit_price.exact

    @display(description=_("amount"), ordering="amount")
    def amount_shown(self, charge: Charge) -> str:
        return charge.money.exact

    @display(description=_("period"), ordering="period__starts_at")
    def period_shown(self, charge: Charge) -> str:
        return charge.period.label


@admin.register(BillingPeriod)
class BillingPeriodAdmin(Cockpit, BookAdmin):
    list_display = ("label", "tenant", "status", "starts_at", "ends_at", "time_zone", "amount_shown", "charge_count", "closed_at")
    list_filter = (("status", ChoicesDropdownFilter), ("tenant", AutocompleteSelectFilter))
    list_select_related = ("tenant", "closed_by")
    search_fields = ("tenant__name", "tenant__slug", "digest")

    @display(description=_("amount"), ordering="amount")
    def amount_shown(self, period: BillingPeriod) -> str:
        return period.money.exact if period.is_closed else "–"
