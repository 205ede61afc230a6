"""What an operator who looks as somebody may reach, by the names of routes. What is not named here is refused."""

from django.http import HttpRequest
from django.urls import ResolverMatch

OWN = ("admin:", "looking_")
"""Begin the names of what stays the operator's own: the console, and what ends a look."""
SIGN_OUT = "account_logout"
ANYWAY = frozenset({"home", "live", "ready", "metrics", SIGN_OUT})
"""Beside everything of a tenant: what shows nothing of a person, or leads to a page that does."""
NEVER = frozenset({"tenant_settings_export"})
"""What is of a tenant and not shown: to take all that is known of one away is a right of its own in the console."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

ACTS = frozenset(
    {
        "instance_cancel",
        "instance_delete",
        "instance_gpu_class",
        "instance_keep",
        "instance_not_when_free",
        "instance_pause",
        "instance_rename",
        "instance_restart",
        "instance_resume",
        "instance_schedule_add",
        "instance_share_end",
        "instance_when_free",
        "launch",
        "notifications_read",
        "schedule_remove",
        "volume_restore",
        "volume_trash",
    }
)
"""What an operator who acts as somebody may change: nothing that gives anybody rights, makes a secret, or outlives the look in
another way than the person's own deeds do."""


def is_own(match: ResolverMatch | None) -> bool:
    """Tell whether a page is the operator's own, whomever they look as."""
    return match is not None and match.view_name.startswith(OWN)


def may_see(match: ResolverMatch | None) -> bool:
    """Tell whether a page may be looked at through somebody's eyes."""
    if match is None or match.view_name in NEVER:
        return False
    return "tenant_slug" in match.kwargs or match.view_name in ANYWAY


def may_send(request: HttpRequest, match: ResolverMatch | None, *, acting: bool) -> bool:
    """Tell whether a request may change something, or changes nothing."""
    if request.method in SAFE:
        return True
    return match is not None and (match.view_name == SIGN_OUT or (acting and match.view_name in ACTS))
