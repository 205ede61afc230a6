"""What an access token may be used for. A scope only ever narrows what its user may do."""

from collections.abc import Collection, Iterable
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Scope(StrEnum):
    """One part of the API, to look at or to change."""

    CATALOG_READ = "catalog:read"
    INSTANCES_READ = "instances:read"
    INSTANCES_WRITE = "instances:write"
    DATA_READ = "data:read"
    DATA_WRITE = "data:write"
    COSTS_READ = "costs:read"
    COSTS_WRITE = "costs:write"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    QUOTAS_READ = "quotas:read"
    QUOTAS_WRITE = "quotas:write"
    TOKENS_READ = "tokens:read"
    TOKENS_WRITE = "tokens:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    NOTIFICATIONS_READ = "notifications:read"
    NOTIFICATIONS_WRITE = "notifications:write"
    AUDIT_READ = "audit:read"


WORDS: dict[Scope, Promise] = {
    Scope.CATALOG_READ: _("see engines and GPU classes on offer"),
    Scope.INSTANCES_READ: _("see engines, their timelines and logs"),
    Scope.INSTANCES_WRITE: _("launch, pause, share and delete engines"),
    Scope.DATA_READ: _("see volumes and download files"),
    Scope.DATA_WRITE: _("upload, trash and restore data"),
    Scope.COSTS_READ: _("see costs"),
    Scope.COSTS_WRITE: _("set budgets"),
    Scope.MEMBERS_READ: _("see who is in the team"),
    Scope.MEMBERS_WRITE: _("invite people and change roles"),
    Scope.QUOTAS_READ: _("see limits and their use"),
    Scope.QUOTAS_WRITE: _("change limits"),
    Scope.TOKENS_READ: _("see tokens"),
    Scope.TOKENS_WRITE: _("make and revoke tokens"),
    Scope.WEBHOOKS_READ: _("see webhooks"),
    Scope.WEBHOOKS_WRITE: _("change webhooks"),
    Scope.NOTIFICATIONS_READ: _("read notifications"),
    Scope.NOTIFICATIONS_WRITE: _("mark notifications as read"),
    Scope.AUDIT_READ: _("read the audit log"),
}


def covers(granted: Collection[str], scope: Scope) -> bool:
    """Tell whether these scopes allow it: whoever may change something may look at it."""
    part, _colon, _verb = scope.partition(":")
    return scope in granted or f"{part}:write" in granted


def beyond(wanted: Iterable[str], granted: Collection[str]) -> list[str]:
    """Return those of the wanted scopes that the granted ones do not cover."""
    return [each for each in wanted if not covers(granted, Scope(each))]
