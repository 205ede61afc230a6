"""API tokens, for operators: to look at and to revoke."""

from typing import cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import action, display

from gateway.api_tokens.operations import revoke_api_token
from gateway.models import ApiToken
from tenants import access
from tenants.models import User
from tenants.read_only import ReadOnlyAdmin, change_permission


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ("name", "start", "tenant", "instance", "made_by", "scope", "standing", "last_used_at", "expires_at")
    list_filter = (("scope", ChoicesDropdownFilter), ("tenant", AutocompleteSelectFilter))
    list_filter_submit = True
    list_select_related = ("tenant", "instance", "made_by")
    search_fields = ("name", "key_id", "made_by__username", "instance__name", "instance__slug")
    exclude = ("membership",)
    readonly_fields = ("start", "standing")
    ordering = ("-pk",)
    actions = ("revoke",)

    @display(description=_("begins with"))
    def start(self, token: ApiToken) -> str:
        return token.start

    @display(description=_("standing"), label={"live": "success", "revoked": "danger", "over": "warning"})
    def standing(self, token: ApiToken) -> tuple[str, object]:
        if token.revoked_at:
            return "revoked", _("revoked")
        return ("over", _("over")) if token.has_ended else ("live", _("live"))

    @action(description=_("Revoke"), permissions=["operate"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[ApiToken]) -> None:
        """End the chosen tokens at once, as operator of each one's tenant."""
        permission = change_permission(ApiToken._meta.label_lower)  # noqa: SLF001 - Django's public name for it
        live = tokens.filter(revoked_at=None).select_related("tenant", "instance")
        for token in live:
            revoke_api_token(token=token, by=access.as_operator(cast("User", request.user), token.tenant, permission=permission))
        messages.success(request, f"{_('Revoked')}: {len(live)}")
