"""What people were told, and what became of it: for operators, to look at and to send again."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, DropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from tenants.notifications.kinds import KINDS
from tenants.notifications.models import Delivery, Notification, NotificationRecipient, WebhookEndpoint
from tenants.notifications.operations import try_again
from tenants.read_only import ReadOnlyInline, RecordAdmin

_CHIPS = {
    Delivery.State.PENDING: "info",
    Delivery.State.SENT: "success",
    Delivery.State.FAILED: "warning",
    Delivery.State.GIVEN_UP: "danger",
}


class KindFilter(DropdownFilter):
    """By kind; the kinds are no choices of the field, so that a new one needs no migration."""

    title = _("kind")
    parameter_name = "kind"
    path = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(kind.name, kind.label) for kind in KINDS.values()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(**{self.path: self.value()}) if self.value() in KINDS else queryset


class DeliveredKindFilter(KindFilter):
    path = "notification__kind"


class RecipientInline(ReadOnlyInline):
    model = NotificationRecipient
    hide_title = True
    fields = readonly_fields = ("user", "read_at")
    verbose_name_plural = _("recipients")

    def get_queryset(self, request: HttpRequest) -> QuerySet[NotificationRecipient]:
        return super().get_queryset(request).select_related("user")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # as much as the notification itself


class DeliveryInline(ReadOnlyInline):
    model = Delivery
    hide_title = True
    fields = readonly_fields = ("channel", "receiver", "state", "attempts", "status", "problem", "detail", "tried_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).select_related("user", "endpoint")

    @display(description=_("to"))
    def receiver(self, delivery: Delivery) -> str:
        return delivery.receiver


@admin.register(Notification)
class NotificationAdmin(RecordAdmin):
    list_display = ("created_at", "tenant", "what", "title", "subject", "key")
    list_filter = (KindFilter, ("tenant", AutocompleteSelectFilter), ("created_at", RangeDateTimeFilter))
    list_select_related = ("tenant",)
    search_fields = ("key", "subject", "tenant__name")
    fields = ("created_at", "tenant", "what", "title", "sentence", "subject", "key", "context")
    inlines = (RecipientInline, DeliveryInline)

    @display(description=_("kind"), ordering="kind")
    def what(self, notification: Notification) -> str:
        return str(notification.about.label)

    @display(description=_("title"))
    def title(self, notification: Notification) -> str:
        return notification.about.words(notification.context).title

    @display(description=_("sentence"))
    def sentence(self, notification: Notification) -> str:
        return notification.about.words(notification.context).sentence


@admin.register(Delivery)
class DeliveryAdmin(RecordAdmin):
    list_display = ("pk", "tenant", "what", "channel", "to", "state_shown", "attempts", "status", "why", "tried_at", "next_at")
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("channel", ChoicesDropdownFilter),
        ("problem", ChoicesDropdownFilter),
        DeliveredKindFilter,
        ("notification__tenant", AutocompleteSelectFilter),
    )
    list_select_related = ("notification__tenant", "user", "endpoint")
    search_fields = (
        "notification__key",
        "notification__subject",
        "user__username",
        "user__email",
        "address",
        "endpoint__url",
        "detail",
    )
    actions = ("again",)
    fields = (
        ("notification", "channel"),
        ("user", "address", "endpoint"),
        ("state", "attempts"),
        ("status", "problem"),
        "detail",
        ("tried_at", "next_at"),
        ("sent_at", "give_up_at"),
    )

    @display(description=_("tenant"), ordering="notification__tenant__name")
    def tenant(self, delivery: Delivery) -> str:
        return str(delivery.notification.tenant)

    @display(description=_("kind"), ordering="notification__kind")
    def what(self, delivery: Delivery) -> str:
        return str(delivery.notification.about.label)

    @display(description=_("to"))
    def to(self, delivery: Delivery) -> str:
        return delivery.receiver

    @display(description=_("state"), ordering="state", label=_CHIPS)
    def state_shown(self, delivery: Delivery) -> tuple[str, str]:
        return delivery.state, delivery.get_state_display()

    @display(description=_("problem"), ordering="problem")
    def why(self, delivery: Delivery) -> str:
        return delivery.get_problem_display()

    @admin.action(description=_("Try again"), permissions=["operate"])
    def again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        chosen = list(queryset)
        count = try_again(chosen)
        if count:
            said = ngettext("%(count)d delivery will be tried again.", "%(count)d deliveries will be tried again.", count)
            messages.success(request, said % {"count": count})
        if count < len(chosen):
            messages.warning(request, gettext("The others wait anyway, or their webhook is turned off."))


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(RecordAdmin):
    list_display = ("url", "tenant", "active", "disabled_reason", "failing_since", "created_by", "created_at")
    list_filter = ("active", ("disabled_reason", ChoicesDropdownFilter), ("tenant", AutocompleteSelectFilter))
    list_select_related = ("tenant", "created_by")
    search_fields = ("url", "slug", "tenant__name")
    fields = (
        ("url", "slug"),
        ("tenant", "created_by", "created_at"),
        "kinds",
        ("active", "disabled_reason"),
        ("failing_since", "quiet_until", "previous_until"),
    )
