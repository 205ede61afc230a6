"""Who was let into whose instance, and whose it became: to look at."""

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from engines.models import Handover, Share
from tenants.read_only import RecordAdmin


@admin.register(Share)
class ShareAdmin(RecordAdmin):
    list_display = ("created_at", "instance", "tenant", "guest", "standing", "until", "shared_by", "ended_at", "ended_by")
    list_filter = (
        ("ended_at", admin.EmptyFieldListFilter),
        ("tenant", AutocompleteSelectFilter),
        ("member", AutocompleteSelectFilter),
    )
    list_select_related = ("instance", "tenant", "member", "shared_by", "ended_by")
    search_fields = ("instance__name", "instance__slug", "member__username", "member__email")
    ordering = ("-pk",)

    @display(description=_("with"), ordering="member__username")
    def guest(self, share: Share) -> str:
        return str(share.member or _("the whole tenant"))

    @display(description=_("standing"), label={"lasts": "success", "over": "info"})
    def standing(self, share: Share) -> tuple[str, object]:
        lasts = share.ended_at is None and (share.until is None or share.until > timezone.now())
        return ("lasts", _("lasts")) if lasts else ("over", _("over"))


@admin.register(Handover)
class HandoverAdmin(RecordAdmin):
    list_display = ("at", "instance", "tenant", "from_owner", "to_owner", "actor")
    list_filter = (("instance__tenant", AutocompleteSelectFilter),)
    list_select_related = ("instance__tenant", "from_owner", "to_owner", "actor")
    search_fields = ("instance__name", "instance__slug", "from_owner__username", "to_owner__username")
    ordering = ("-pk",)

    @display(description=_("tenant"), ordering="instance__tenant__name")
    def tenant(self, handover: Handover) -> str:
        return str(handover.instance.tenant)
